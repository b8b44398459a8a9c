"""`bench compare` takes two recorded runs and their folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from tests.bench.example_results import run_id

RUN = run_id("ddpm")


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "seed: `bench compare` takes results=DIR only" in refusal("compare a b seed=3")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", RUN, RUN + "4"], f"run={RUN}4: unknown (did you mean {RUN}?); choose from ae-mnist-0"),
        (["compare", RUN, RUN, "preset=quick"], "preset: `bench compare` takes results=DIR only"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], said: str, example_results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"results={example_results}"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"bench: {said}")
