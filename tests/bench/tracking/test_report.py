"""The W&B report: its blocks name what the runs were told, and it is one report however often it is made."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.results.records import read_all
from bench.table.build import build
from bench.table.render import markdown


@pytest.fixture
def results(example_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs with their baselines, in a folder that may be written to."""
    others = shutil.ignore_patterns("ae-*", "dae-*", "pixel*", "vqvae-*")
    for part in ("records", "pictures"):
        shutil.copytree(example_results / part, tmp_path / "r" / part, ignore=others)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "r"


def named(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a tree with its value."""
    if isinstance(tree, dict):
        yield from tree.items()
    for one in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from named(one)


def test_the_report_shows_the_table_and_what_the_runs_hold(server: Any, results: Path) -> None:
    assert main(["wandb", "push", "results=r"]) == 0
    assert main(["wandb", "report", "results=r"]) == 0
    (view,) = server.views
    assert (view["projectName"], view["type"]) == ("generative-trilemma", "runs")
    spec = json.loads(view["spec"])
    (text,) = (block["content"] for block in spec["blocks"] if block["type"] == "markdown-block")
    assert text == markdown(build(read_all(results), results))

    keys = {key for run in server.runs.values() for line in run.history for key in line}
    summaries = {key for run in server.runs.values() for key in run.summary}
    told = list(named(spec))
    media = [key for name, value in told if name == "mediaKeys" for key in value]
    assert set(media) - {"samples"} == {key for key in keys if key.startswith("pictures/")}
    axes = {value.removeprefix("summary:") for name, value in told if name in ("xAxis", "yAxis", "zAxis")
            if value.startswith("summary:")}  # fmt: skip
    bars = {value.removeprefix("summary_metrics.") for name, values in told if name == "metrics" for value in values}
    assert len(axes) == 3
    assert axes <= summaries
    assert bars - {"train/loss", "train/bits_per_dim"} <= summaries
    assert [value for name, value in told if name == "xAxis" and "summary" not in value and value != "_step"] == [
        "images_seen", "images_seen",
    ]  # fmt: skip

    groups = [[key["name"] for key in value] for name, value in told if name == "grouping" and value]
    assert groups == [["family.value", "model.value.name"]] * 2, "seeds averaged, by family"
    filters = [{one["key"]["name"]: one["value"] for one in value["filters"]} for name, value in told
               if name == "filters" and isinstance(value, dict)]  # fmt: skip
    for run in server.runs.values():
        config = {key: run.config[key]["value"] for key in ("dataset", "preset")}
        assert any(config["dataset"] == one["dataset"] and config["preset"] in one["preset"] for one in filters)
    assert {one["jobType"] for one in filters} == {"train", "table"}


def test_made_again_it_is_the_same_report(server: Any, results: Path) -> None:
    for project in ("p", "q"):
        server.runs[f"of {project}"].told["project"] = project
    for project in ("p", "p", "q"):
        assert main(["wandb", "report", "results=r", f"wandb.project={project}"]) == 0
    first, second, other = server.views
    assert first["id"] == second["id"] != other["id"]


def test_it_says_what_is_missing(
    nobody: None, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wandb", "report", "results=r"]) == 2
    assert (
        "bench: `bench wandb report` needs an account: `wandb login`, and wandb.mode=online" in capsys.readouterr().err
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("bench.tracking.report.find_spec", lambda name: None)
    assert main(["wandb", "report", "results=r"]) == 2
    assert "needs wandb-workspaces: pip install wandb-workspaces" in capsys.readouterr().err


def test_a_project_without_runs_is_told_to_be_sent_them(
    server: Any, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wandb", "report", "results=r"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench: W&B did not accept the report of wandb.project=generative-trilemma (")
    assert said.endswith("send its runs first: `bench wandb push`\n")
