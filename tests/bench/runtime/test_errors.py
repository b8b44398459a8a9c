"""An error of input carries its key, value and choices, also with a place before its message."""

import pytest

from bench.runtime.errors import InputError, suggestion


class Refusal(InputError):
    """Of a subclass, which `prefixed` keeps."""


def test_a_prefix_keeps_the_kind_and_what_the_error_carries() -> None:
    error = Refusal("seed=-1: must be at least 0", key="seed", value=-1, choices=["0", "1"])
    again = error.prefixed("cell 3")
    assert type(again) is Refusal
    assert str(again) == "cell 3: seed=-1: must be at least 0"
    assert (
        (again.key, again.value, again.choices) == (error.key, error.value, error.choices) == ("seed", -1, ("0", "1"))
    )


@pytest.mark.parametrize(("name", "hint"), [("ddmp", " (did you mean ddpm?)"), ("zzz", "")])
def test_a_suggestion_is_the_most_similar_choice(name: str, hint: str) -> None:
    assert suggestion(name, ["gan", "ddpm"]) == hint
