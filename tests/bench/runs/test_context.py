"""What rows are measured with: which data have modes, and how they are told."""

import dataclasses
from pathlib import Path

import pytest
import torch

from bench.config.load import load
from bench.evaluation.features.extractor import Moments
from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.registry import load_extractor
from bench.runs.context import evaluation_context, modes, protocol, second_reference
from datamodules import DATAMODULES


def test_classes_are_modes_only_where_the_classifier_was_taught_them(small_mnist: Path) -> None:
    data = DATAMODULES["mnist"]()
    data.setup()
    extractor = load_extractor("mnist-cnn")
    found = modes(data, "mnist", extractor)
    assert found is not None
    assert found.name == "10 by mnist-cnn, right on 99.66% of held-out images"
    expected = torch.bincount(data.train_labels, minlength=10).double() / len(data.train_labels)
    torch.testing.assert_close(found.probabilities, expected)
    features, logits = extractor.outputs(data.test_images)
    assert (found.assign(features, logits) == data.test_labels).double().mean() > 0.97
    assert modes(data, "fashion_mnist", extractor) is None  # ten classes as well, but not these


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "stacked_mnist"])
def test_images_of_28_pixels_are_judged_by_a_classifier_taught_on_them(name: str) -> None:
    extractor = load(["model=vae", f"data={name}"])[0].evaluation.extractor
    assert load_extractor(extractor).taught_by == name


@pytest.mark.parametrize(("name", "count"), [("grid_25", 25), ("ring_8", 8)])
def test_a_mixtures_modes_are_its_components(name: str, count: int) -> None:
    data = DATAMODULES[name]()
    data.setup()
    found = modes(data, name, load_extractor("coordinates"))
    assert found is not None
    assert len(found.probabilities) == count
    assigned = found.assign(data.test_images.flatten(1), None)
    inside = assigned >= 0
    assert torch.equal(assigned[inside], data.test_labels[inside])


def test_three_digits_are_one_of_a_thousand_modes() -> None:
    data = DATAMODULES["stacked_mnist"]()
    data.setup()
    extractor = load_extractor("stacked-mnist-cnn")
    found = modes(data, "stacked_mnist", extractor)
    assert found is not None
    assert found.name.startswith("1,000 by stacked-mnist-cnn")
    part = data.test_images[:300]
    right = (found.assign(*extractor.outputs(part)) == data.test_labels[:300]).double().mean()
    assert right > 0.96  # three digits, each right in 99.66%


def test_the_protocol_states_all_that_rows_are_measured_with(small_mnist: Path) -> None:
    config = load(["model=vae", "evaluation.samples=64", "trainer.accelerator=cpu"])[0]
    data = DATAMODULES["mnist"]()
    data.setup()
    evaluation = evaluation_context(config, data, "bf16-mixed")
    stated = protocol(config, evaluation, weights="raw")
    assert evaluation.reference_set.held_out is not None
    assert evaluation.reference_set.modes is not None
    assert stated.held_out_digest == evaluation.reference_set.held_out.digest
    assert (stated.modes, stated.quantisation, evaluation.precision) == (
        evaluation.reference_set.modes.name,
        "uint8",
        "bfloat16",
    )
    assert evaluation.reference_set.held_out.disjoint
    assert evaluation.reference_set.random is not None
    network = random_network()
    assert evaluation.reference_set.random.extractor.digest == network.digest
    moments = Moments.from_features(network(data.train_images))
    torch.testing.assert_close(evaluation.reference_set.random.moments.mean, moments.mean)


def test_points_have_no_features_of_the_random_network() -> None:
    assert second_reference(torch.zeros(5, 2, 1, 1), torch.device("cpu")) is None


def test_a_classifier_of_colour_images_tells_its_classes_and_not_their_cubes() -> None:
    data = DATAMODULES["stacked_mnist"]()
    data.setup()
    extractor = dataclasses.replace(load_extractor("stacked-mnist-cnn"), by_channel=False, classes=1000)
    found = modes(data, "stacked_mnist", extractor)
    assert found is not None
    assert len(found.probabilities) == 1000


def test_modes_that_never_occur_are_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    data = DATAMODULES["mnist"]()
    data.setup()
    data.train_labels = data.train_labels.clamp(max=8)
    assert modes(data, "mnist", load_extractor("mnist-cnn")) is None
    assert "1 of 10 never occur" in capsys.readouterr().err
