"""Shares of words obeyed are counted by hand, kind by kind, and their intervals without each group likewise."""

import pytest
import torch

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics import words
from bench.evaluation.metrics.feature_sets import FeatureSets, Words
from bench.evaluation.metrics.labels import share
from bench.evaluation.metrics.registry import METRICS, expected
from bench.evaluation.protocol import Protocol

SAID = torch.tensor([[7, 2, -1, 3, -1, 0], [1, -1, -1, 4, 2, 2], [5, 0, -1, 6, -1, -1], [8, -1, 2, 9, 0, -1]])
SEEN = torch.tensor([[7, 2, 1, 4, 0, 1], [1, 0, 0, 4, 2, 0], [4, 1, 1, 6, 2, 2], [8, 1, 2, 0, 0, 1]])
DIGITS = torch.tensor([True, False, False] * 2)
NEW = torch.tensor([False, False, True, False])
REORDERED = torch.tensor([False, False, False, True])


def sets(said: Words | None) -> FeatureSets:
    x = torch.randn(4, 2)
    protocol = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=400, chunk=1)
    return FeatureSets(x, x, Moments.from_features(x), protocol, torch.arange(4) % 2, words=said)


@pytest.mark.parametrize(
    ("name", "right", "total"),
    [
        ("digit_words", 3, 4),
        ("attribute_words", 2, 4),
        ("new_digit_words", 1, 2),
        ("new_attribute_words", 0, 1),
        ("reordered_words", 3, 4),
    ],
)
def test_words_that_are_said_are_counted_by_kind(name: str, right: int, total: int) -> None:
    compared = sets(Words(SAID, SEEN, DIGITS, NEW, REORDERED))
    assert METRICS[name].applies(compared)
    estimate = METRICS[name].compute(compared)
    assert estimate is not None
    assert estimate.value == pytest.approx(right / total)


def test_without_captions_or_without_such_words_there_is_no_figure() -> None:
    assert words.digit_words(sets(None)) is None
    none = sets(Words(SAID, SEEN, DIGITS, torch.zeros(4, dtype=torch.bool), REORDERED))
    assert words.new_digit_words(none) is None
    names = set(expected(True, True)) - set(expected(True))
    assert {name for name in names if METRICS[name].applies(sets(None))} == set()
    assert len(names) == 5


def test_a_share_without_a_group_is_that_of_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    total = torch.randint(1, 5, (60,), generator=generator)
    right = (total * torch.rand(60, generator=generator)).long()
    groups = torch.arange(60) % 20
    estimate = share(right, total, groups)
    assert estimate is not None
    assert estimate.without is not None
    kept = groups != 7
    again = share(right[kept], total[kept], groups[kept])
    assert again is not None
    assert estimate.without[7].item() == pytest.approx(again.value)


def test_the_words_of_one_group_alone_have_no_interval() -> None:
    estimate = share(torch.tensor([1, 0, 0]), torch.tensor([2, 0, 0]), torch.tensor([0, 1, 1]))
    assert estimate is not None
    assert (estimate.value, estimate.interval) == (0.5, None)


def test_words_are_obeyed_where_seen_is_what_is_said() -> None:
    obeyed = sets(Words(SAID, SAID, DIGITS, NEW, REORDERED))
    for name in set(expected(True, True)) - set(expected(True)):
        estimate = METRICS[name].compute(obeyed)
        assert estimate is not None
        assert estimate.value == 1
