"""Differences are differences: none from a run to itself, turned round with the runs, and judged by the intervals."""

import math
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.results.records import Record, read_all
from bench.table.columns import COLUMNS, Column
from bench.table.compare import (
    ON_ONE_MACHINE,
    blocks,
    differing_settings,
    flat,
    reason_not_comparable,
    task_blocks,
    verdict,
)
from bench.table.figure import Figure
from bench.table.rules import UNSURE
from bench.table.text import heading


@pytest.fixture(scope="module")
def records(example_results: Path) -> dict[str, Record]:
    """Model -> its run."""
    return {record.config["model"]["name"]: record for record in read_all(example_results)}


def figures(a: Record, b: Record) -> dict[str, dict[str, list[str]]]:
    """Title -> heading -> the other cells of its line."""
    return {title: {line[0]: line[1:] for line in grid[1:]} for title, grid in (*blocks(a, b), *task_blocks(a, b))}


@pytest.mark.parametrize("model", ["vae", "ddpm", "pixel_ar"])
def test_a_run_does_not_differ_from_itself(
    model: str, example_results: Path, records: dict[str, Record], capsys: pytest.CaptureFixture[str]
) -> None:
    record = records[model]
    made = figures(record, record)
    assert len([title for title in made if title.startswith(model)]) >= len(record.results)
    for lines in made.values():
        for name, (a, b, apart, better) in lines.items():
            assert a == b, name
            assert (better == "=" and float(apart) == 0) or a == "–", name
    assert main(["compare", record.run_id, record.run_id, f"results={example_results}"]) == 0
    assert "All settings are equal." in capsys.readouterr().out


def test_turned_round_every_difference_is_the_negative(records: dict[str, Record]) -> None:
    a, b = records["vae"], records["gan"]
    forth, back = figures(a, b), figures(b, a)
    (one,) = (lines for title, lines in forth.items() if title == "vae vs gan")
    (other,) = (lines for title, lines in back.items() if title == "gan vs vae")
    assert one.keys() == other.keys() >= {"FID ↓", "recall ↑", "s / 100 images ↓"}
    for name, (left, right, apart, better) in one.items():
        assert other[name][:2] == [right, left]
        assert float(other[name][2].replace(",", "")) == -float(apart.replace(",", ""))
        assert other[name][3] == {"A": "B", "B": "A"}.get(better, better)
    assert (one["FID ↓"][3], one["recall ↑"][3]) == ("B", UNSURE)


@pytest.mark.parametrize(("better", "said"), [("lower", "A"), ("higher", "B"), ("", "")])
def test_which_is_better_asks_for_more_than_both_intervals_together(better: str, said: str) -> None:
    column = Column("x", "x", ".2f", better)
    one = Figure(1.0, 0.7, 1.3, 1e9)
    edge = math.hypot(0.3, 0.4)  # 0.5
    near, far = (Figure(1 + shift, 0.6 + shift, 1.4 + shift, 1e9) for shift in (0.98 * edge, 1.02 * edge))
    assert verdict(column, one, near) == ("+0.49", UNSURE)
    assert verdict(column, one, far) == ("+0.51", said)
    assert verdict(column, Figure(1.0), Figure(1.5)) == ("+0.50", "")
    assert verdict(column, one, None) == ("–", "")


def test_models_without_a_sampler_in_common_stand_beside_each_of_the_others_rows(records: dict[str, Record]) -> None:
    vae, ddpm = records["vae"], records["ddpm"]
    titles = [title for title, _ in blocks(vae, ddpm)]
    assert sorted(titles) == sorted(f"vae vs ddpm, {result.protocol['sampler']}" for result in ddpm.results.values())


def test_figures_of_two_protocols_or_two_machines_are_not_put_side_by_side(records: dict[str, Record]) -> None:
    vae = records["vae"]
    ((key, result),) = vae.results.items()
    fewer = result.model_copy(update={"protocol": result.protocol | {"samples": 1000}})
    other = vae.model_copy(update={"results": {"other": fewer}})
    assert "samples: 2000 vs 1000" in reason_not_comparable(vae, other)
    assert reason_not_comparable(vae, vae.model_copy(update={"results": {}})) == f"{vae.run_id} has none."
    elsewhere = result.model_copy(update={"hardware": result.hardware | {"threads": 64}})
    ((title, grid),) = blocks(vae, vae.model_copy(update={"results": {key: elsewhere}}))
    assert title == "vae (two machines: times omitted)"
    times = {heading(column) for column in COLUMNS if column.key in ON_ONE_MACHINE}
    assert len(times) == len(ON_ONE_MACHINE)
    assert not times & {line[0] for line in grid}
    changed = {
        name: one.model_copy(update={"protocol": {**one.protocol, "images": 1}}) for name, one in vae.abilities.items()
    }
    assert list(task_blocks(vae, vae.model_copy(update={"abilities": {f"{k}!": v for k, v in changed.items()}}))) == []


def test_settings_differ_by_their_leaves() -> None:
    a, b = {"model": {"width": 32, "name": "vae"}, "seed": 0}, {"model": {"name": "vae"}, "seed": 1, "new": []}
    assert differing_settings(flat(a), flat(b)) == [["model.width", "32", "–"], ["seed", "0", "1"], ["new", "–", "[]"]]


def test_figures_of_two_versions_of_a_metric_are_not_put_side_by_side(records: dict[str, Record]) -> None:
    vae = records["vae"]
    ((key, result),) = vae.results.items()
    newer = vae.model_copy(update={"results": {key: result.model_copy(update={"versions": {"fid": 2}})}})
    ((_, before),) = blocks(vae, vae)
    ((_, grid),) = blocks(vae, newer)
    assert {line[0] for line in before} - {line[0] for line in grid} == {
        "FID, n/4 ↓", "FID, n/2 ↓", "FID ↓",
    }  # fmt: skip
