"""Figures of given labels: shares that can be counted, means of FID, and what the samples teach a classifier."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.feature_sets import FeatureSets, Labelled
from bench.evaluation.metrics.fid import frechet_to
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.metrics.labels import by_class, class_accuracy, classification_accuracy_score, intra_fid
from bench.evaluation.protocol import Protocol

N, D = 120, 4


def shades(labels: Tensor, seed: int) -> Tensor:
    """Images whose brightness is their label's, with noise: uint8 N x 1 x 8 x 8."""
    noise = torch.randint(0, 20, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    return (100 * labels.view(-1, 1, 1, 1) + noise).to(torch.uint8)


def labelled_sets(**changes: object) -> FeatureSets:
    """Samples of three labels, 120, and 240 reference images; a tenth is judged as the next label."""
    generator = torch.Generator().manual_seed(0)
    labels, reference_labels = torch.arange(N) % 3, torch.arange(2 * N) % 3
    generated = torch.randn(N, D, generator=generator) + labels[:, None]
    reference = torch.randn(2 * N, D, generator=generator) + reference_labels[:, None]
    judged = torch.where(torch.arange(N) % 10 == 0, (labels + 1) % 3, labels)
    labelled = Labelled(
        3, labels, judged, torch.ones(N, dtype=torch.bool), shades(labels, 1), labels, shades(reference_labels, 2),
        reference_labels, reference, reference_labels,
    )  # fmt: skip
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=N, chunk=1)
    sets = FeatureSets(generated, reference, Moments.from_features(reference), protocol, groups(N, 0))
    return dataclasses.replace(sets, labelled=dataclasses.replace(labelled, **changes))  # type: ignore[arg-type]


def without(sets: FeatureSets, group: int) -> FeatureSets:
    """The sets without the samples of one group."""
    kept = sets.groups != group
    assert sets.labelled is not None
    fields = ("labels", "judged", "counted", "images", "image_labels")
    labelled = dataclasses.replace(sets.labelled, **{name: getattr(sets.labelled, name)[kept] for name in fields})
    return dataclasses.replace(sets, generated=sets.generated[kept], groups=sets.groups[kept], labelled=labelled)


def test_class_accuracy_is_the_share_of_samples_that_the_judge_gets_right() -> None:
    sets = labelled_sets()
    estimate = class_accuracy(sets)
    assert estimate is not None
    assert estimate.value == pytest.approx(0.9)
    assert estimate.without is not None
    for group in (0, 7, 19):
        again = class_accuracy(without(sets, group))
        assert again is not None
        assert estimate.without[group] == pytest.approx(again.value)


def test_images_that_taught_the_judge_do_not_count() -> None:
    right = torch.arange(N) % 10 != 0
    for counted, expected in ((right, 1.0), (~right, 0.0)):
        estimate = class_accuracy(labelled_sets(counted=counted))
        assert estimate is not None
        assert estimate.value == expected


def test_intra_fid_is_the_mean_over_classes_of_their_fid() -> None:
    sets = labelled_sets()
    estimate, labelled = intra_fid(sets), sets.labelled
    assert estimate is not None
    assert labelled is not None

    def expected(part: FeatureSets) -> float:
        assert part.labelled is not None
        each = [
            frechet_to(labelled.reference[labelled.reference_labels == k])(part.generated[part.labelled.labels == k])
            for k in range(3)
        ]
        return sum(each) / 3

    assert estimate.value == pytest.approx(expected(sets))
    assert estimate.without is not None
    assert estimate.without[5] == pytest.approx(expected(without(sets, 5)))
    rows = by_class(sets)
    assert sum(row["fid"] for row in rows) / 3 == pytest.approx(estimate.value)
    assert [row["samples"] for row in rows] == [40, 40, 40]
    assert sum(row["class_accuracy"] for row in rows) / 3 == pytest.approx(0.9)


def test_a_class_without_its_mode_shows_in_its_own_figures_only() -> None:
    sets = labelled_sets()
    assert sets.labelled is not None
    moved = sets.generated + 50 * (sets.labelled.labels == 1)[:, None]
    before, after = by_class(sets), by_class(dataclasses.replace(sets, generated=moved))
    assert [after[k] == before[k] for k in range(3)] == [True, False, True]
    assert after[1]["coverage"] == 0


def test_the_classification_accuracy_score_is_what_labelled_samples_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.evaluation.metrics.labels.CAS_PASSES", 6_400)
    taught = classification_accuracy_score(labelled_sets())
    assert taught is not None
    assert taught.value > 0.99
    labels = torch.randint(3, (N,), generator=torch.Generator().manual_seed(3))
    misled = classification_accuracy_score(labelled_sets(image_labels=labels))
    assert misled is not None
    assert misled.value < 0.7
    half = misled.half_width
    assert half is not None
    assert half == pytest.approx(1.96 * math.sqrt(misled.value * (1 - misled.value) / (2 * N)), rel=0.01)


def test_few_samples_of_a_class_or_many_classes_have_no_figures_a_class_at_a_time() -> None:
    sets = labelled_sets(labels=torch.zeros(N, dtype=torch.long))
    assert intra_fid(sets) is None
    assert by_class(sets) == []
    many = labelled_sets(classes=1000)
    assert classification_accuracy_score(many) is None
    assert intra_fid(many) is None
    assert class_accuracy(many) is not None


def test_without_labels_there_are_no_figures() -> None:
    sets = dataclasses.replace(labelled_sets(), labelled=None)
    assert class_accuracy(sets) is intra_fid(sets) is classification_accuracy_score(sets) is None
    assert by_class(sets) == []
