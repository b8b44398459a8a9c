"""`evaluate` judges a sampler, its images and its files alike, as the command does, and records them if asked to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import generative_trilemma as gt
from bench.cli.main import main
from bench.evaluation.protocol import Protocol
from bench.evaluation.samples import generate
from bench.table.columns import BY_KEY
from datamodules.mnist import Mnist

SMALL: dict[str, Any] = {"samples": 64, "evaluation__chunk": 25}


def blurred(n: int, generator: torch.Generator) -> Tensor:
    """Smooth noise; it requires gradients, as the output of a network does."""
    x = torch.randn(n, 1, 7, 7, generator=generator, requires_grad=True)
    return torch.nn.functional.interpolate(x, size=28).clamp(-1, 1)


def images_of_blurred(seed: int = 0) -> Tensor:
    with torch.no_grad():
        return torch.cat([images for _, images in generate(blurred, 64, chunk=25, seed=seed)])


def values(measurement: gt.Measurement) -> dict[str, Any]:
    return {key: (figure.value, figure.interval) for key, figure in measurement.figures.items()}


def test_a_sampler_its_images_and_its_file_have_the_figures_of_the_command(small_mnist: Path) -> None:
    images = images_of_blurred()
    np.savez(small_mnist / "blurred.npz", images.permute(0, 2, 3, 1).numpy())
    sampled = gt.evaluate(blurred, **SMALL)
    for same in (images, images.numpy(), "blurred.npz", Path("blurred.npz")):
        again = gt.evaluate(same, **SMALL)
        assert (values(again), again.protocol, again.flags) == (values(sampled), sampled.protocol, sampled.flags)
    assert not Path("results").exists()
    words = ["evaluation.samples=64", "evaluation.chunk=25", "results=r"]
    assert main(["evaluate", "--images", "blurred.npz", *words]) == 0
    (result,) = json.loads(Path("r/records/blurred-mnist-images.json").read_text())["results"].values()
    assert sampled.protocol == result["protocol"]
    assert sampled.figures["fid"].value == result["metrics"]["fid"]
    assert sampled.figures["kid"].value == 1000 * result["metrics"]["kid"]  # in the unit of its heading
    assert sampled.figures["fid"].interval == tuple(result["intervals"]["fid"])
    assert Protocol.from_dict(sampled.protocol).line() == sampled.about


def test_a_metric_of_the_users_own_is_one_of_the_figures(small_mnist: Path) -> None:
    Path("mine.py").write_text(
        "import generative_trilemma as gt\n"
        "@gt.metric('lower', heading='gap', form='.1f')\n"
        "def mean_gap(sets):\n"
        "    'Distance of the means.'\n"
        "    return float((sets.generated.double().mean(0) - sets.reference_moments.mean).norm())\n"
        "def broken(sets):\n"
        "    return len(sets)\n"
    )
    places = ["./mine.py:mean_gap", "./mine.py:broken"]
    found = gt.evaluate(blurred, evaluation__metrics=places, record_as="own", results="r", **SMALL)
    gap = found.figures["mean_gap"]
    assert (gap.heading, gap.direction, gap.meaning) == ("gap ↓", "lower", "Distance of the means")
    assert gap.text == f"{gap.value:.1f}"
    assert "broken" not in found.figures
    assert any(flag.startswith("no figure of broken: TypeError: ") for flag in found.flags)
    (result,) = json.loads(Path("r/records/own-mnist-images.json").read_text())["results"].values()
    assert result["metrics"]["mean_gap"] == gap.value
    assert result["columns"]["mean_gap"]["heading"] == "gap"
    assert "broken" not in result["versions"], "so that the next call tries it again"


def test_a_figure_has_what_its_column_says(small_mnist: Path) -> None:
    measurement = gt.evaluate(blurred, **SMALL)
    for key, figure in measurement.figures.items():
        assert (figure.direction, figure.meaning) == (BY_KEY[key].better, BY_KEY[key].about)
        assert figure.interval is None or figure.interval[0] <= figure.value <= figure.interval[1]
    text, markup = repr(measurement), measurement._repr_html_()
    for figure in measurement.figures.values():
        assert figure.heading in text
        assert figure.text in text
        assert f"<td>{figure.text}</td>" in markup


def test_it_is_recorded_under_a_name_once(small_mnist: Path) -> None:
    named = gt.evaluate(blurred, record_as="mine", results="r", **SMALL)
    assert values(named) == values(gt.evaluate(blurred, **SMALL))
    assert named.title == "64 samples of mine, compared with mnist"
    (record,) = gt.records("r")
    assert (record.run_id, record.config["model"]["name"]) == ("mine-mnist-images", "mine")
    file = Path("r/records/mine-mnist-images.json")
    before = file.read_bytes()
    assert values(gt.evaluate(blurred, record_as="mine", results="r", **SMALL)) == values(named)
    assert file.read_bytes() == before
    with pytest.raises(gt.InputError, match="was made from other images"):
        gt.evaluate(images_of_blurred(seed=1), record_as="mine", results="r", **SMALL)


@pytest.mark.parametrize(
    ("source", "changes", "said"),
    [
        (blurred, {"data": "mnits"}, "data=mnits"),
        (blurred, {"data": "grid_25"}, "points of the plane are not images"),
        (blurred, {"samples": 3}, "^samples=3: input should be"),
        (blurred, {"model__width": 3}, "model__width: evaluate takes the settings evaluation__NAME"),
        (blurred, {"evaluation__sed": 3}, "^evaluation__sed: unknown key"),
        (blurred, {"evaluation__repeats": 3}, "^evaluation__repeats=3: not used for images"),
        (blurred, {"samples": 600}, "^samples=600: more than the 512 training images of .*; set samples=512 or fewer"),
        (blurred, {"record_as": "../a"}, "record_as=../a: takes letters"),
        (lambda n, generator: torch.zeros(n, 28, 28), {}, r"returned \(25, 28, 28\) for n=25; expected .*, 1, 28"),
        (lambda n, generator: np.zeros((n, 1, 28, 28)), {}, "returned ndarray"),
        (lambda n, generator: torch.full((n, 1, 28, 28), torch.nan), {}, "25 of 25 samples hold NaN or infinity"),
        (torch.zeros(64, 1, 28, 28), {}, "are float32 of shape .* give uint8, N x 1 x 28 x 28"),
        (np.zeros((64, 28, 28, 1), np.uint8), {}, r"uint8 of shape \(64, 28, 28, 1\)"),
        (np.zeros((63, 1, 28, 28), np.uint8), {}, "63 images, but samples=64"),
        ("no.npz", {}, "images=no.npz: there is neither a file nor a folder"),
        ({"a": 1}, {}, "dict is no sampler"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_input_error_before_any_work(
    source: object, changes: dict[str, Any], said: str, small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generative_trilemma.evaluation.row_conditions", None)  # what would start the work
    with pytest.raises(gt.InputError, match=said):
        gt.evaluate(source, **(SMALL | changes))
    assert not Path("results").exists()


def test_an_error_of_the_sampler_passes_through(small_mnist: Path) -> None:
    def broken(n: int, generator: torch.Generator) -> Tensor:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        gt.evaluate(broken, **SMALL)


def test_a_mistake_in_a_data_set_is_an_input_error(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(self: Mnist) -> tuple[gt.Split, gt.Split]:
        raise gt.DataError("no images here")

    monkeypatch.setattr(Mnist, "load", load)
    with pytest.raises(gt.InputError, match="no images here"):
        gt.evaluate(blurred, **SMALL)
