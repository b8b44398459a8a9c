"""The examples of docs/python.md run as they stand there."""

import re
from pathlib import Path
from typing import Any

import pytest

import generative_trilemma as gt

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text()


def test_the_examples_run(small_mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(example, space)
    said = capsys.readouterr().out
    assert "mnist-cnn" in said
    assert "Time of sampling" in said
    assert [record.config["model"]["name"] for record in gt.records("out") if record.family == "outside"] == ["noise"]
    assert said.count("| noise") >= 2


def test_the_functions_of_the_page_are_those_that_there_are() -> None:
    named = re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)
    assert named == ["evaluate", "time_sampling", "train", "records", "table"]
    assert set(named) <= set(gt.__all__)
