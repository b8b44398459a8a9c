"""Alarms and figures of copies that pixels show: raised by planted copies, not by held-out images; chances exact."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.reference import held_out, reference
from bench.evaluation.metrics import copies as module
from bench.evaluation.metrics.copies import (
    aligned_alarm,
    aligned_copies,
    exact_alarm,
    exact_copies,
    fingerprints,
    training_pixels,
)
from bench.evaluation.metrics.feature_sets import Copies, FeatureSets, Nearest
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet

MakeProtocol = Callable[..., Protocol]


def copies(
    near: Nearest | None = None, exact: int = 0, n: int = 2000, held_out: int = 0, total: int = 10_000
) -> Copies:
    none = torch.zeros(0)
    return Copies(near or Nearest(none, none.long(), none, none.long()), torch.arange(n) < exact, held_out, total)


def sets(found: Copies) -> FeatureSets:
    return cast(FeatureSets, SimpleNamespace(copies=found))


def drawn(random: np.random.RandomState, n: int, m: int, shares: list[float], copied: int = 0) -> Nearest:
    """Gaps of n samples in cells of these shares and of m held-out images in equal cells; those of cell 0 are lower."""

    def gaps(cells: np.ndarray) -> Tensor:
        return torch.from_numpy(-random.gamma(2, size=len(cells)) * np.where(cells == 0, 2.0, 1.0)).float()

    own, others = random.choice(4, n, p=shares), random.choice(4, m)
    generated = gaps(own)
    generated[:copied] = -50
    return Nearest(generated, torch.from_numpy(own), gaps(others), torch.from_numpy(others))


def test_twenty_equal_ones_of_two_thousand_raise_the_alarm_and_chance_does_not() -> None:
    alarm = exact_alarm(copies(exact=20))
    assert alarm is not None
    assert alarm.startswith("exact copies: 20 of 2,000 samples are byte for byte equal to a training image, where 0 of")
    assert alarm.endswith("look at the closest pairs")
    assert [exact_alarm(copies(exact=k)) is not None for k in (0, 1, 4, 5)] == [False, False, False, True]
    assert exact_alarm(copies(exact=20, held_out=100)) is None  # 1% of held-out images are in the training split too
    assert exact_alarm(copies(exact=60, held_out=100)) is not None


@pytest.mark.parametrize("k", [0, 1, 20, 1999, 2000])
def test_the_interval_of_equal_ones_inverts_the_binomial_distribution(k: int) -> None:
    estimate = exact_copies(sets(copies(exact=k)))
    assert estimate is not None
    assert estimate.interval is not None
    low, high = estimate.interval
    assert estimate.value == k
    assert low == 0 if k == 0 else binom.sf(k - 1, 2000, low / 2000) == pytest.approx(0.025, rel=1e-6)
    assert high == 2000 if k == 2000 else binom.cdf(k, 2000, high / 2000) == pytest.approx(0.025, rel=1e-6)


def test_the_chance_of_samples_among_the_nearest_is_that_of_all_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each cell any images may be the samples: two of three, and one of three."""
    gaps, cells = torch.tensor([-9.0, -8.0, -1.0, -7.0, -2.0, -6.0]), torch.tensor([0, 0, 0, 1, 1, 1])
    monkeypatch.setattr(module, "DEEPEST", 1)
    near = gaps <= -6  # the four nearest
    counts = [
        int(near[list(first)].sum() + near[list(second)].sum())
        for first in itertools.combinations(range(3), 2)
        for second in itertools.combinations(range(3, 6), 1)
    ]
    for first, second in (((0, 1), (3,)), ((1, 2), (4,))):
        chosen = torch.zeros(6, dtype=torch.bool)
        chosen[[*first, *second]] = True
        found = module._samples_among_nearest(Nearest(gaps[chosen], cells[chosen], gaps[~chosen], cells[~chosen]), 4)
        own = int(near[chosen].sum())
        assert found[0] == pytest.approx(np.mean([count >= own for count in counts]), rel=1e-12)
        assert (found[1], found[3]) == (own, 4)
        assert found[2] == pytest.approx(np.mean(counts), rel=1e-12)


@pytest.mark.parametrize("shares", [[0.25] * 4, [1.0, 0, 0, 0], [0.7, 0.3, 0, 0]])
def test_samples_of_the_data_raise_no_alarm_even_of_few_kinds(shares: list[float]) -> None:
    random = np.random.RandomState(3)
    found = [drawn(random, 500, 2000, shares) for _ in range(200)]
    assert sum(aligned_alarm(copies(near)) is not None for near in found) <= 3  # by chance once in 1480
    ratios = [estimate.value for near in found if (estimate := aligned_copies(sets(copies(near))))]
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)


def test_half_a_percent_of_copies_raise_the_alarm() -> None:
    random = np.random.RandomState(4)
    alarms = [aligned_alarm(copies(drawn(random, 2000, 8000, [0.25] * 4, copied=10))) for _ in range(30)]
    assert sum(alarm is not None for alarm in alarms) >= 28
    alarm = next(alarm for alarm in alarms if alarm)
    assert alarm.startswith("possible copies: of the 16 samples and held-out images that are nearest")
    assert " are samples, where 3.2 are expected; look at the closest pairs" in alarm
    assert aligned_alarm(copies(drawn(random, 2000, 8000, [0.25] * 4, copied=2000))) is not None


def test_without_pixels_there_is_no_figure() -> None:
    empty = cast(FeatureSets, SimpleNamespace(copies=None))
    assert (exact_copies(empty), aligned_copies(empty)) == (None, None)


def test_fingerprints_are_equal_for_equal_images_alone(images: Callable[..., Tensor]) -> None:
    x = images(20, seed=0)
    changed = x.clone()
    changed[7, 0, 3, 3] ^= 1
    assert len(set(fingerprints(x))) == 20
    assert [a == b for a, b in zip(fingerprints(x), fingerprints(changed), strict=True)].count(False) == 1


@pytest.fixture
def against(extractor: Extractor, images: Callable[..., Tensor]) -> ReferenceSet:
    training, others = images(400, seed=1), images(600, seed=3)
    split = reference(training, extractor)
    beside = held_out(others, split, extractor, samples=100, seed=0, cells_wanted=4)
    pixels = training_pixels(training, others, split, beside, samples=100, seed=0)
    return ReferenceSet(extractor, split, beside, pixels=pixels)


@pytest.mark.parametrize("kind", ["equal", "shifted and darker", "other"])
def test_copies_are_flagged_and_shown_among_samples_off_the_data(
    kind: str, against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    training, samples = images(400, seed=1), 255 - images(100, seed=9)
    change: dict[str, Callable[[Tensor], Tensor]] = {
        "equal": lambda x: x, "shifted and darker": lambda x: (0.7 * torch.roll(x, (2, -1), (2, 3))).to(torch.uint8),
    }  # fmt: skip
    if kind in change:
        samples[20:40] = change[kind](training[50:70])
    found = evaluate_images(samples, against, make_protocol(against, samples=100, cells=4))
    assert found.metrics["exact_copies"] == (20 if kind == "equal" else 0)
    flagged = [flag for flag in found.flags if "copies: " in flag]
    if kind == "other":
        assert flagged == []
        return
    assert flagged[0].startswith("exact copies: 20 of 100" if kind == "equal" else "possible copies: of the ")
    assert found.metrics["aligned_copies"] > 5
    assert found.closest is not None
    assert set(found.closest.training.tolist()) <= set(range(50, 70))
    assert torch.equal(found.closest.images, change[kind](training[found.closest.training]))


def test_points_and_few_images_have_no_pixels_to_align(against: ReferenceSet, images: Callable[..., Tensor]) -> None:
    assert against.held_out is not None
    arguments: Any = {"reference": against.reference, "held_out": against.held_out, "samples": 100, "seed": 0}
    assert training_pixels(torch.zeros(400, 2, 1, 1), torch.zeros(400, 2, 1, 1), **arguments) is None
    assert training_pixels(images(49, seed=1), images(400, seed=3), **arguments) is None


def test_held_out_images_are_aligned_once_and_are_not_the_floors(
    against: ReferenceSet, images: Callable[..., Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, others = images(400, seed=1), images(600, seed=3)
    assert against.held_out is not None
    arguments: Any = {"samples": 100, "seed": 0, "cache": tmp_path}
    first = training_pixels(training, others, against.reference, against.held_out, **arguments)
    assert first is not None
    assert len(first.held_out) == 400  # four for each sample, of the 500 that the floor leaves
    assert (first.held_out_exact, first.held_out_total) == (0, 600)
    monkeypatch.setattr("bench.evaluation.metrics.copies.Aligner.__call__", lambda *_: pytest.fail("aligned again"))
    second = training_pixels(training, others, against.reference, against.held_out, **arguments)
    assert second is not None
    assert torch.equal(first.held_out, second.held_out)
    assert torch.equal(first.held_out_cells, second.held_out_cells)


def test_held_out_images_that_are_training_images_too_set_what_is_expected(
    against: ReferenceSet, images: Callable[..., Tensor], make_protocol: MakeProtocol
) -> None:
    """Where a fifth of the held-out split is in the training split, a fifth of the samples may be."""
    training, others = images(400, seed=1), images(600, seed=3)
    others[::5] = training[:120]
    assert against.held_out is not None
    pixels = training_pixels(training, others, against.reference, against.held_out, samples=100, seed=0)
    beside = held_out(others, against.reference, against.extractor, samples=100, seed=0, cells_wanted=4)
    same = dataclasses.replace(against, pixels=pixels, held_out=beside)
    samples = images(100, seed=11)
    samples[::5] = training[200:220]
    found = evaluate_images(samples, same, make_protocol(same, samples=100, cells=4))
    assert found.metrics["exact_copies"] == 20
    assert not any("copies: " in flag for flag in found.flags)
