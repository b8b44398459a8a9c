"""Samples of a run are those that its evaluation judged, whatever the format that they are written in."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench.cli.main import main
from bench.evaluation.image_files import arrays, hugging_face, tar
from bench.runs.sample import Given, check_target, default_target


def run_of(folder: Path, model: str) -> str:
    (file,) = (folder / "records").glob(f"{model}-*.json")
    return file.stem


@pytest.mark.parametrize("out", ["drawn", "drawn.npz", "drawn.tar"])
def test_samples_that_others_read_have_the_figures_of_the_runs_own_record(
    out: str, finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(finished("gan"), "gan")
    assert main(["sample", run, "--n", "64", "--out", out, "results=r"]) == 0
    said = capsys.readouterr().err
    assert f"64 samples: {out}" in said
    assert f"picture: {out}.grid.png" in said
    assert Path(f"{out}.grid.png").read_bytes() == Path(f"r/pictures/{run}/samples.png").read_bytes()
    assert main(["evaluate", "--images", out, "evaluation.samples=64", "results=r"]) == 0
    own, theirs = (
        next(iter(json.loads(Path(f"r/records/{name}.json").read_text())["results"].values()))
        for name in (run, "drawn-mnist-images")
    )
    assert theirs["metrics"] == own["metrics"]


def test_every_format_holds_the_same_images(finished: Callable[..., Path]) -> None:
    run = run_of(finished("gan"), "gan")
    for name in ("a.npz", "a.npy", "a.tgz"):
        assert main(["sample", run, "--n", "5", "--out", f"deep/{name}", "results=r"]) == 0
    npz, npy = arrays.read_npz(Path("deep/a.npz"), None), arrays.read_npy(Path("deep/a.npy"), None)
    assert npz.images.shape == (5, 1, 28, 28)
    assert torch.equal(npz.images, npy.images)
    assert torch.equal(npz.images, tar.read(Path("deep/a.tgz"), None).images)


def test_one_of_several_samplers_draws_and_the_headline_by_itself(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(finished("ddpm"), "ddpm")
    assert main(["sample", run, "--n", "3", "results=r"]) == 0
    assert len(list(Path(f"r/samples/{run}-ddim-10").glob("*.png"))) == 3
    assert Path(f"r/samples/{run}-ddim-10.grid.png").is_file()
    assert main(["sample", run, "--n", "3", "samplers=[ddim-5]", "results=r", "--out", "other.npy"]) == 0
    assert main(["sample", run, "--n", "3", "evaluation.seed=1", "results=r", "--out", "seed.npy"]) == 0
    assert not np.array_equal(np.load("other.npy"), np.load("seed.npy"))
    for words, said in (
        (["samplers=[ddim-5,ddim-10]"], "samplers=ddim-5,ddim-10: `bench sample` draws by one of them"),
        (["samplers=[ddim-1000000]"], "samplers.ddim-1000000: "),
        ([], f"--out=r/samples/{run}-ddim-10: exists already; name a new one"),
    ):
        assert main(["sample", run, "results=r", *words, *(["--out", "new"] if words else [])]) == 2
        assert said in capsys.readouterr().err
    assert not Path("new").exists()


def test_places_that_cannot_be_written_are_refused_before_anything_is_drawn(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(finished("gan"), "gan")
    monkeypatch.setattr("bench.runs.sample.draw", None)
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    Path("file").touch()
    for out, said in {
        "file": "--out=file: exists already",
        "file/below.npz": "file is no folder that can be written to",
        "a.zip": "--out=a.zip: .zip is no format that is written; choose .npz, .npy, .tar, .tar.gz, .tgz, .hf; a name "
        "without suffix is a folder of PNG files",
        f"a{hugging_face.SUFFIX}": "a.hf is a data set of Hugging Face, which needs the package datasets",
    }.items():
        assert main(["sample", run, "--out", out, "results=r"]) == 2
        assert said in capsys.readouterr().err


def test_points_of_the_plane_are_written_as_an_array(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(finished("vae", "data=ring_8", "evaluation.samples=100"), "vae")
    assert main(["sample", run, "--n", "50", "results=r"]) == 0
    points = np.load(f"r/samples/{run}.npy")
    assert (points.shape, points.dtype) == ((50, 2), np.float32)
    assert Path(f"r/samples/{run}.npy.grid.png").is_file()
    assert main(["sample", run, "--out", "a.npz", "results=r"]) == 2
    assert ".npz is no format that is written; choose .npy, for points of the plane" in capsys.readouterr().err


def test_the_default_place_of_a_sampler_with_a_dot_in_its_name_has_no_suffix() -> None:
    data: Any = SimpleNamespace(train_images=torch.zeros(1, dtype=torch.uint8))
    target = default_target(Path("r"), "ddpm-mnist-0-0123abcd", "sde-dpm-solver-20-w1.5", data, Given())
    assert target == Path("r/samples/ddpm-mnist-0-0123abcd-sde-dpm-solver-20-w1_5")
    assert check_target(target, images=True) == target


def test_no_picture_or_labels_of_others_are_replaced(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(finished("gan"), "gan")
    for target, beside in (("new", "new.grid.png"), ("new.npy", "new.labels.npy")):
        Path(beside).touch()
        assert main(["sample", run, "--n", "2", "results=r", "--out", target]) == 2
        assert f"--out={beside}: exists already" in capsys.readouterr().err
        assert not Path(target).exists()
