"""`bench list` shows every registry in full."""

import pytest

from bench.cli.list import LISTS, summary
from bench.cli.main import main
from bench.config.load import names
from bench.evaluation.features.registry import known_extractors
from bench.evaluation.metrics.registry import METRICS
from datamodules import DATAMODULES
from models import MODELS


@pytest.mark.parametrize(
    ("what", "known"),
    [
        ("models", MODELS), ("datasets", DATAMODULES), ("presets", names("preset")),
        ("samplers", [f"{name}-STEPS" for name in names("sampler")]),
        ("metrics", METRICS),
    ],
)  # fmt: skip
def test_a_list_has_every_name_of_its_registry_once_with_a_text(what: str, known: list[str]) -> None:
    lines = LISTS[what]()
    assert [name for name, *_ in lines] == list(known)
    assert all(text for _, text, _ in lines)


def test_the_extractors_are_those_that_are_known_where_the_list_is_asked() -> None:
    assert [name for name, *_ in LISTS["extractors"]()] == known_extractors()


def test_without_a_name_all_lists_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if line.strip() in LISTS] == list(LISTS)


def test_a_summary_is_the_first_paragraph_in_one_line() -> None:
    def documented() -> None:
        """The first
        paragraph.

        The second.
        """

    assert summary(documented) == "The first paragraph."
