"""Metrics of samples of captions: the share of their words that a sample obeys."""

from collections.abc import Callable

from torch import Tensor

from bench.evaluation.metrics.feature_sets import FeatureSets, Words
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.labels import share


def digit_words(sets: FeatureSets) -> Estimate | None:
    """Return the share of digits obeyed, of captions as those of the training."""
    return _obeyed(sets, lambda words: _trained(words) & words.digits)


def attribute_words(sets: FeatureSets) -> Estimate | None:
    """Return the share of attributes obeyed, of captions as those of the training."""
    return _obeyed(sets, lambda words: _trained(words) & ~words.digits)


def new_digit_words(sets: FeatureSets) -> Estimate | None:
    """Return the share of digits obeyed, of combinations that no caption of the training describes."""
    return _obeyed(sets, lambda words: _new(words) & words.digits)


def new_attribute_words(sets: FeatureSets) -> Estimate | None:
    """Return the share of attributes obeyed, of combinations that no caption of the training describes."""
    return _obeyed(sets, lambda words: _new(words) & ~words.digits)


def reordered_words(sets: FeatureSets) -> Estimate | None:
    """Return the share of digits and attributes obeyed, of known combinations in an order that is held out."""
    return _obeyed(sets, lambda words: (words.new_order & ~words.new_combination)[:, None].expand_as(words.said))


def _trained(words: Words) -> Tensor:
    """Captions as those of the training, bool N x 1."""
    return ~(words.new_combination | words.new_order)[:, None]


def _new(words: Words) -> Tensor:
    """Held-out combinations in an order of the training, bool N x 1."""
    return (words.new_combination & ~words.new_order)[:, None]


def _obeyed(sets: FeatureSets, chosen: Callable[[Words], Tensor]) -> Estimate | None:
    """The share of the chosen words, bool N x W, that are said and seen."""
    words = sets.words
    if words is None:
        return None
    counted = chosen(words) & (words.said >= 0)
    return share((counted & (words.seen == words.said)).sum(1), counted.sum(1), sets.groups)
