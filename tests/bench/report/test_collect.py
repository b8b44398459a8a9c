"""Every record is in one comparison, and what cannot be in one is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.report.collect import collect
from bench.report.page import render
from bench.results.records import Failure, write_failure
from bench.table.rules import BASELINES


def test_folders_below_are_found_and_those_of_runs_are_not(results: Path) -> None:
    hidden = results / "runs" / "records"
    hidden.mkdir(parents=True)
    (hidden / "broken.json").write_text("{")
    made = collect(results)
    assert [one.place for one in made.comparisons] == ["", "grid_25", "latent-plane", "ring_8"]
    assert [one.data for one in made.comparisons] == ["mnist", "grid_25", "mnist", "ring_8"]
    assert all(one.table for one in made.comparisons)
    assert made.unplaced == []


def elsewhere(record: dict[str, Any]) -> None:
    record["config"]["seed"] = 7
    for result in record["results"].values():
        result["hardware"]["cpu"] = "Another CPU"


def stamp(record: dict[str, Any]) -> None:
    record["config"] |= {"preset": "smoke", "stamp": "too short"}


def setting(record: dict[str, Any]) -> None:
    for result in record["results"].values():
        result["protocol"]["extractor_digest"] = "other"


@pytest.mark.parametrize("edit", [stamp, setting])
def test_what_cannot_share_a_table_gets_one_of_its_own_with_the_references(
    edit: Callable[[dict[str, Any]], None], results: Path, change: Callable[..., str]
) -> None:
    before = collect(results).comparisons
    run = change("gan-*.json", "gan-mnist-7-00000000", edit)
    made = collect(results).comparisons
    assert len(made) == len(before) + 1
    assert all(one.table for one in made)
    homes = [one for one in made if any(record.run_id == run for record in one.records)]
    assert len(homes) == 1
    assert homes[0].table
    held_out = [row.name for row in homes[0].table.rows if row.family == "data"]
    assert held_out == ([] if edit is setting else list(BASELINES.values()))
    assert made[0].table == before[0].table


def test_runs_timed_on_two_machines_share_a_table(results: Path, change: Callable[..., str]) -> None:
    before = collect(results).comparisons
    change("gan-*.json", "gan-mnist-7-00000000", elsewhere)
    made = collect(results).comparisons
    assert len(made) == len(before)
    assert made[0].table
    (gan,) = (row for row in made[0].table.rows if row.model == "gan")
    assert gan.seeds == 2
    assert gan.machine == ""


def test_a_result_without_timing_stays_with_its_own_run(results: Path, change: Callable[..., str]) -> None:
    def edit(record: dict[str, Any]) -> None:
        untimed = next(one for one in record["results"].values() if one["metrics"])
        untimed["timing"] = {}
        untimed["hardware"]["cpu"] = "Another CPU"

    change("ddpm-*.json", "ddpm-mnist-0-00000000", edit)
    made = collect(results).comparisons
    assert len(made) == 4
    assert made[0].table
    assert len([row for row in made[0].table.rows if row.model == "ddpm"]) == 3


def test_where_no_table_can_be_made_the_page_shows_why(results: Path, change: Callable[..., str]) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["config"]["seed"] = 7
        for ability in record["abilities"].values():
            ability["protocol"]["test_digest"] = "other"

    change("vae-*.json", "vae-mnist-7-00000000", edit)
    text = render(results)
    assert "No table: " in text
    assert "results of two protocols" not in text
    assert "test_digest: " in text
    assert str(results) not in text


def test_a_diverged_run_is_named_whether_or_not_a_table_is_there_for_it(results: Path) -> None:
    def fail(run_id: str, preset: str) -> None:
        config = {"preset": preset, "data": {"name": "mnist"}, "model": {"name": "gan"}, "seed": 5}
        curves = {"images_seen": [1.0, 2.0, 3.0], "loss": [1.0, 2.0, float("nan")]}
        write_failure(
            Failure(run_id=run_id, config=config, code={}, cause="loss was NaN", images_seen=3, curves=curves),
            results,
        )

    fail("gan-mnist-5-00000000", "quick")
    fail("gan-mnist-6-00000000", "long")
    assert collect(results).unplaced == ["gan-mnist-6-00000000 failed: loss was NaN"]
    text = render(results)
    assert "Diverged, without figures: gan-mnist-5-00000000 (loss was NaN)." in text
    assert "seed 5, diverged: first 1, least 1, last 2" in text


def test_a_run_that_is_not_evaluated_yet_is_named(results: Path, change: Callable[..., str]) -> None:
    run = change("gan-*.json", "gan-mnist-8-00000000", lambda record: record["results"].clear())
    assert collect(results).unplaced == [f"{run} is trained but not evaluated yet"]


def test_mistakes_end_in_one_sentence(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", f"results={tmp_path / 'none'}"]) == 2
    assert "no records here or in a folder below; run `bench train` first" in capsys.readouterr().err
    assert main(["report", "preset=quick"]) == 2
    assert capsys.readouterr().err == "bench: preset: `bench report` takes results=DIR only\n"
    (results / "ring_8" / "records" / "broken.json").write_text("{")
    assert main(["report", f"results={results}"]) == 2
    assert "broken.json: not a readable record" in capsys.readouterr().err
    assert not (results / "report.html").exists()
