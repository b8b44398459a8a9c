"""`bench extractor` takes the data and their settings only."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("word", ["train.images=5", "results=r"])
def test_what_a_command_does_not_use_is_refused_by_name(word: str, refusal: Callable[[str], str]) -> None:
    said = refusal(f"extractor data=mnist {word}")
    assert f"{word}: `bench extractor` takes data=NAME, data.* and seed only" in said
