"""`bench speed` names its questions, and takes a folder beside them only."""

from collections.abc import Callable

from bench.cli.main import help_of
from bench.speed.command import QUESTIONS


def test_the_help_of_speed_names_every_question() -> None:
    assert all(name in help_of("speed") for name in QUESTIONS)


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "`bench speed` takes questions and results=DIR" in refusal("speed loop train.images=3")
