"""Another program's images: measured as our own are, recorded under their name, and refused where they do not fit."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.cli.main import main
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol
from datamodules import DATAMODULES

WORDS = ["evaluation.samples=64", "evaluation.chunk=25", "results=r"]


def save(images: np.ndarray, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:05}.png")
    return folder


@pytest.fixture
def held_out(small_mnist: Path) -> Path:
    data = DATAMODULES["mnist"]()
    data.setup()
    return save(data.test_images[:, 0].numpy(), small_mnist / "theirs")


def recorded(name: str) -> dict:
    return json.loads((Path("r") / "records" / f"{name}.json").read_text())


def figures(record: dict) -> dict:
    (result,) = record["results"].values()
    return result["metrics"]


def test_the_held_out_split_as_files_has_the_floors_figures(held_out: Path) -> None:
    assert (
        main(["train", "model=vae", "preset=smoke", "train.images=32", "model.width=4", "model.hidden=8", *WORDS]) == 0
    )
    assert main(["evaluate", "--images", str(held_out), "--data", "mnist", "--name", "real", *WORDS]) == 0
    (floor,) = (json.loads(file.read_text()) for file in Path("r/records").glob("held-out-*.json"))
    ours, theirs = (figures(record) for record in (floor, recorded("real-mnist-images")))
    assert ours == theirs
    assert main(["table", "preset=smoke", "results=r"]) == 0
    assert "| real" in Path("r/TABLE.md").read_text()


def test_a_protocol_is_repeated_on_other_images(held_out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--images", str(held_out), "--name", "a", *WORDS, "evaluation.seed=3"]) == 0
    (fingerprint,) = recorded("a-mnist-images")["results"]
    assert main(["evaluate", "--images", str(held_out), "--name", "b", "--protocol", fingerprint[:8], "results=r"]) == 0
    assert recorded("b-mnist-images")["results"].keys() == {fingerprint}
    assert figures(recorded("a-mnist-images")) == figures(recorded("b-mnist-images"))
    capsys.readouterr()
    assert main(["evaluate", "--images", str(held_out), "--name", "b", "--protocol", fingerprint[:8], "results=r"]) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_a_metric_added_later_reaches_a_recorded_folder(
    held_out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--images", str(held_out), "--name", "a", *WORDS]
    assert main(command) == 0
    before = figures(recorded("a-mnist-images"))
    monkeypatch.setitem(METRICS, "toy", dataclasses.replace(METRICS["vendi"], name="toy"))
    capsys.readouterr()
    assert main(command) == 0
    assert "missing: metric toy was not computed" in " ".join(capsys.readouterr().err.split())
    assert figures(recorded("a-mnist-images")) == before | {"toy": before["vendi"]}
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_copies_are_flagged_and_the_pairs_are_drawn(small_mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = DATAMODULES["mnist"]()
    data.setup()
    copies = save(data.train_images[:100, 0].numpy(), small_mnist / "copies")
    assert main(["evaluate", "--images", str(copies), *WORDS]) == 0
    (result,) = recorded("copies-mnist-images")["results"].values()
    assert any("possible copies" in flag for flag in result["flags"])
    assert Path("r/pictures/copies-mnist-images/nearest.png").is_file()
    assert "possible copies" in capsys.readouterr().err


def test_hidden_files_are_no_samples_links_are_followed_and_the_rest_is_said(
    held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the samples behind a link, copies of a notebook's, a resource fork: the figures are those without."""
    assert main(["evaluate", "--images", str(held_out), "--name", "whole", *WORDS]) == 0
    (held_out.parent / "away").mkdir()
    for file in sorted(held_out.glob("001*.png")):
        file.rename(held_out.parent / "away" / file.name)
    (held_out / "001").symlink_to("../away")
    (held_out / ".ipynb_checkpoints").mkdir()
    (held_out / ".ipynb_checkpoints" / "0.png").write_bytes((held_out / "00000.png").read_bytes())
    (held_out / "._00000.png").write_bytes(b"\0\5\x16\7")
    (held_out / "grid.jpg").touch()
    capsys.readouterr()
    assert main(["evaluate", "--images", str(held_out), "--name", "linked", *WORDS]) == 0
    assert f"--images={held_out}: 256 images, left out 2 hidden, 1 .jpg" in capsys.readouterr().err
    assert figures(recorded("linked-mnist-images")) == figures(recorded("whole-mnist-images"))


def test_a_folder_without_lossless_images_says_what_it_holds(
    small_mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_mnist / "theirs"
    folder.mkdir()
    assert main(["evaluate", "--images", str(folder), *WORDS]) == 2
    assert (
        "holds no .png, .bmp, .tif, .tiff file (it is empty): save the samples as 8-bit PNG" in capsys.readouterr().err
    )
    for name in ("0.JPG", "1.jpg", "samples.npz", "._x.png"):
        (folder / name).touch()
    assert main(["evaluate", "--images", str(folder), *WORDS]) == 2
    assert (
        "(left out 2 .jpg, 1 .npz, 1 hidden; lossy files have other pixels than the samples had)"
        in capsys.readouterr().err
    )


def stated(at: Path) -> Path:
    """A protocol as a file beside the images' folder."""
    file = at.parent / "protocol.json"
    fields: dict[str, Any] = {
        "data": "mnist", "extractor": "mnist-cnn", "extractor_digest": "ab", "reference_digest": "cd", "samples": 64,
        "seed": 0, "chunk": 25, "quantisation": "uint8", "weights": "none", "sampler": "images",
    }  # fmt: skip
    file.write_text(json.dumps(Protocol(**fields, sampler_settings={}, precision="float32").to_dict()))
    return file


Case = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (lambda at: ["--images", str(at)], "evaluation.samples=2000: more than the 512 training images"),
        (lambda at: ["--images", str(at), "evaluation.samples=300"], "holds 256 images, but evaluation.samples=300"),
        (lambda at: ["--images", str(at / "no"), "evaluation.samples=64"], "no: there is neither a file nor a folder"),
        (lambda at: ["--images", str(at), "--data", "mnits"], "did you mean mnist"),
        (lambda at: ["--images", str(at), "--data", "grid_25"], "data=grid_25: points of the plane are not images"),
        (lambda at: ["--images", str(at), "--data", "stacked_mnist", "evaluation.samples=64"], "00000.png"),
        (lambda at: ["--images", str(at), "model.width=3"], "model.width=3: `bench evaluate --images` takes"),
        (lambda at: ["--images", str(at), "--protocol", "abc"], "--protocol=abc: matches 0 protocols"),
        (lambda at: ["--images", str(at), "evaluation.repeats=3"], "evaluation.repeats=3: not used for images"),
        (
            lambda at: ["--images", str(at), "--protocol", str(stated(at)), "evaluation.samples=64"],
            "evaluation.samples=64: not used for images, because --protocol states it",
        ),
        (
            lambda at: ["--images", str(at.rename(at.parent / "样本"))],
            "样本: its name has no letter A to Z and no",
        ),
        (lambda at: ["--images", str(at), "--name", "样本"], "--name=样本: takes letters A to Z"),
        (lambda at: ["--images", str(at), "--name", "x" * 121], "120 at most"),
        (lambda at: ["results=r"], "RUN is missing"),
        (lambda at: ["RUN", "--name", "a"], "--data, --reference and --name belong to --images=PATH"),
        (lambda at: ["--images", str(at), "--name", "../a", "evaluation.samples=64"], "--name=../a: takes letters"),
        (lambda at: [], "RUN is missing"),
    ],
)
def test_mistakes_end_in_one_sentence(
    case: Case, said: str, held_out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *case(held_out)]) == 2
    assert said in capsys.readouterr().err
    assert not Path("results").exists()


def test_too_few_images_are_refused(held_out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in sorted(held_out.glob("*.png"))[56:]:
        file.unlink()
    assert main(["evaluate", "--images", str(held_out), *WORDS]) == 2
    assert "theirs holds 56 images, but evaluation.samples=64" in capsys.readouterr().err


def test_a_name_belongs_to_one_set_of_images(held_out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--images", str(held_out), "--name", "a", *WORDS]) == 0
    (held_out / "00000.png").unlink()
    assert main(["evaluate", "--images", str(held_out), "--name", "a", *WORDS]) == 2
    assert "was made from other images; choose another name" in capsys.readouterr().err
