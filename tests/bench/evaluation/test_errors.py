"""An error of the evaluation carries the key, the value and the choices of the setting that is wrong."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features.reference import check_enough
from bench.evaluation.image_files.folder import read_images
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.scoring import select_metrics

MISSING = Path("missing.png")
WRONG: dict[str, tuple[Callable[[], object], str, object, list[str]]] = {
    "unknown metric": (lambda: select_metrics(["fdi"]), "metric", "fdi", sorted(METRICS)),
    "too many samples": (lambda: check_enough(10, 11), "samples", 11, []),
    "unreadable image": (lambda: read_images([MISSING], (1, 8, 8)), "images", MISSING, []),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_carries_the_key_the_value_and_the_choices(case: str) -> None:
    call, key, value, choices = WRONG[case]
    with pytest.raises(EvaluationError) as error:
        call()
    assert (error.value.key, error.value.value, list(error.value.choices)) == (key, value, choices)
    for part in (f"{key}={value}", *choices):
        assert part in str(error.value)


def test_the_error_of_another_process_is_the_same_error() -> None:
    error = unknown("metric", "fdi", ["fid", "kid"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(("value", "hint"), [("recal", " (did you mean recall?)"), ("zzz", "")])
def test_an_unknown_value_is_answered_with_the_choices_in_order(value: str, hint: str) -> None:
    error = unknown("metric", value, ["recall", "fid"])
    assert isinstance(error, EvaluationError)
    assert str(error) == f"metric={value} is unknown{hint}; the choices are fid, recall."
