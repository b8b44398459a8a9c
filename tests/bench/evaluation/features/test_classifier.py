"""The classifier learns, repeats from its seed, and its features are those behind its logits."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.evaluation.features import classifier
from bench.evaluation.features.classifier import FEATURES, Classifier, accuracy, shifted, train


def test_logits_are_linear_in_the_features(random_classifier: Classifier, images: Callable[..., Tensor]) -> None:
    x = images(5, seed=0)
    features = random_classifier.features(x)
    assert features.shape == (5, FEATURES)
    torch.testing.assert_close(random_classifier(x), random_classifier.head(features))


def test_shifts_move_whole_images_by_up_to_two_pixels_and_fill_with_zeros() -> None:
    images = torch.zeros(200, 2, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4], images[:, 1, 4, 4] = 1, 2
    moved = shifted(images, torch.Generator().manual_seed(0))
    places = [tuple(part.nonzero()[0].tolist()) for part in moved[:, 0]]
    assert places == [tuple(part.nonzero()[0].tolist()) for part in moved[:, 1]], "channels move together"
    assert set(places) == {(y, x) for y in range(2, 7) for x in range(2, 7)}
    assert moved[:, 1].flatten(1).sum(1).tolist() == [2] * 200
    assert torch.equal(shifted(images, torch.Generator().manual_seed(0), reach=0), images)


def test_training_separates_two_classes_and_repeats_from_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "LEAST_STEPS", 10)
    labels = torch.arange(64) % 2
    images = (labels[:, None, None, None] * 200).expand(64, 1, 8, 8).to(torch.uint8)
    first, again = (train(images, labels, epochs=20, batch=16, seed=1) for _ in range(2))
    assert not first.training
    assert accuracy(first, images, labels) == 1
    assert accuracy(first, images, 1 - labels) == 0
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_accuracy_does_not_depend_on_the_chunk(
    chunk: int, random_classifier: Classifier, images: Callable[..., Tensor]
) -> None:
    x = images(20, seed=0)
    labels = random_classifier(x).argmax(1)
    labels[:5] = (labels[:5] + 1) % 10
    assert accuracy(random_classifier, x, labels, chunk) == 0.75


@pytest.mark.parametrize(("count", "steps"), [(3, 5), (8, 5), (20, 5), (64, 8)])
def test_few_images_teach_by_a_least_number_of_batches(count: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "LEAST_STEPS", 5)
    seen: list[range] = []

    def progress(batches: range) -> range:
        seen.append(batches)
        return batches

    labels = torch.arange(count) % 2
    train(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), labels, epochs=1, batch=8, progress=progress)
    assert seen == [range(steps)]
