"""`bench sweep` takes the options of its executor only."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--gpus 1", "--gpus=1.0: applies to --executor=ray only; leave it out"),
        ("--executor ray --gpus -1", "--gpus=-1.0: must be at least 0"),
    ],
)
def test_what_a_command_does_not_use_is_refused_by_name(words: str, said: str, refusal: Callable[[str], str]) -> None:
    assert said in refusal(f"sweep families {words}")
