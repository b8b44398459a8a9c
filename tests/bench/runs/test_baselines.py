"""Baselines of real data: what is missing or spoiled, how many images, and that each is measured once."""

import json
from pathlib import Path

import pytest
import torch

from bench.config.load import load
from bench.evaluation.metrics.memorisation import cell_of
from bench.runs.baselines import BASELINES, baselines, class_missing, held_out, measure_baselines, one_in_ten_spoiled
from bench.runs.context import EvaluationContext, evaluation_context
from datamodules import DATAMODULES
from datamodules.base import ImageDataModule

NAMES = {"held-out", "class-missing", "one-in-ten-spoiled"}


Digits = tuple[ImageDataModule, EvaluationContext]


@pytest.fixture
def digits(small_mnist: Path) -> Digits:
    """512 + 256 digits and what they are judged by, at 64 samples."""
    data = DATAMODULES["mnist"]()
    data.setup()
    config = load(["model=vae", "evaluation.samples=64", "trainer.accelerator=cpu"])[0]
    return data, evaluation_context(config, data, "32-true")


def of(images: torch.Tensor, data: ImageDataModule) -> torch.Tensor:
    """Numbers of held-out images that equal each image; -1 for none."""
    equal = (images[:, None] == data.test_images[None]).flatten(2).all(2)
    return torch.where(equal.any(1), equal.int().argmax(1), -1)


@pytest.mark.parametrize("seed", [0, 1])
def test_one_class_of_ten_is_missing_and_no_other(digits: Digits, seed: int) -> None:
    data, evaluation = digits
    every = class_missing(data, evaluation.reference_set, 10_000, seed)
    labels = data.test_labels[of(every, data)]
    (gone,) = set(range(10)) - set(labels.tolist())
    assert len(every) == (data.test_labels != gone).sum()
    assert len(class_missing(data, evaluation.reference_set, 64, seed)) == 64


@pytest.mark.parametrize("classes", [1, 2, 9])
def test_one_cell_of_ten_is_missing_where_there_are_fewer_than_ten_labels(classes: int, digits: Digits) -> None:
    data, evaluation = digits
    data.train_labels, data.test_labels = data.train_labels % classes, data.test_labels % classes
    assert evaluation.reference_set.held_out is not None
    cells = cell_of(evaluation.reference_set.extractor(data.test_images), evaluation.reference_set.held_out.centroids)
    kept = cells[of(class_missing(data, evaluation.reference_set, 10_000, 0), data)]
    (gone,) = set(cells.tolist()) - set(kept.tolist())
    assert len(kept) == (cells != gone).sum()


def test_exactly_one_in_ten_is_spoiled_of_the_images_of_the_floor(
    digits: Digits,
) -> None:
    data, evaluation = digits
    plain, spoiled = (
        held_out(data, evaluation.reference_set, 60, 0),
        one_in_ten_spoiled(data, evaluation.reference_set, 60, 0),
    )
    changed = (plain != spoiled).flatten(1).any(1)
    assert changed.sum() == 6
    assert not torch.equal(spoiled, one_in_ten_spoiled(data, evaluation.reference_set, 60, 1))


def test_points_have_held_out_ones_alone() -> None:
    grid = DATAMODULES["grid_25"]()
    grid.setup()
    assert [baseline.name for baseline in baselines(grid)] == ["held-out"]


def test_each_is_recorded_once_with_a_number_of_its_own(small_mnist: Path) -> None:
    words = ["model=vae", "evaluation.samples=400", "trainer.accelerator=cpu", "results=r"]
    config = load(words)[0]
    data = DATAMODULES["mnist"]()
    data.setup()
    evaluation = evaluation_context(config, data, "32-true")
    measure_baselines(config, data, evaluation)
    files = {file: file.stat().st_mtime_ns for file in Path("r/records").glob("*.json")}
    found = {}
    for file in files:
        record = json.loads(file.read_text())
        assert record["family"] == "data"
        (result,) = record["results"].values()
        found[record["config"]["model"]["name"]] = result
    assert set(found) == NAMES == {baseline.name for baseline in BASELINES}
    counts = {name: result["protocol"]["samples"] for name, result in found.items()}
    assert counts["held-out"] == counts["one-in-ten-spoiled"] == 256, "all held-out images there are"
    assert 200 < counts["class-missing"] < 256
    for name, result in found.items():
        assert f"of {counts[name]} images, all there are, where rows have 400 samples" in result["flags"]
    fid = {name: result["metrics"]["fid"] for name, result in found.items()}
    assert fid["held-out"] < min(fid["class-missing"], fid["one-in-ten-spoiled"])
    measure_baselines(config, data, evaluation)
    assert {file: file.stat().st_mtime_ns for file in Path("r/records").glob("*.json")} == files
