"""What is sent of a record: each point once and in order, the table's units, and a digest of its content."""

from pathlib import Path
from typing import Any, cast

import pytest

from bench.table.aggregate import names
from bench.table.rows import gather
from bench.tracking.log import GRIDS, HEADINGS, KEYS, digest, grids, history, row_values
from bench.tracking.session import Identity, Session
from tests.bench.records import baseline, lecture

CURVES = {"images_seen": [40.0, 80.0, 120.0], "loss": [3.0, 2.0, 1.0]}


class Lines:
    """A run that keeps what is logged to it."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, line: dict[str, Any]) -> None:
        self.lines.append(line)


def test_points_are_sent_once_in_order_and_never_beyond_the_images_seen(tmp_path: Path) -> None:
    run, session = Lines(), Session(Identity("r", "r", "p", {}), "offline", tmp_path)
    for until in (80.0, 80.0, 1000.0):
        history(cast(Any, run), session, CURVES, [], until)
    assert run.lines == [{"images_seen": seen, "train/loss": loss} for seen, loss in zip(*CURVES.values(), strict=True)]
    assert session.images_sent == 120.0


def test_grids_are_in_the_order_of_the_images_seen(tmp_path: Path) -> None:
    files = [tmp_path / GRIDS / f"{seen:09}.png" for seen in (80, 1600, 160)]
    (tmp_path / GRIDS).mkdir()
    for file in files:
        file.touch()
    assert [int(file.stem) for file in grids(tmp_path)] == [80, 160, 1600]


def test_a_row_has_a_value_under_every_heading_in_the_tables_units() -> None:
    run = lecture()[0]
    (row,) = gather([run], names([run]))
    values = dict(zip(HEADINGS, row_values(row, "mnist", "quick"), strict=True))
    assert (values["row"], values["data"], values["preset"], values["seeds"]) == ("vae", "mnist", "quick", 1)
    assert values["kid"] == pytest.approx(1.0), "× 1000, as the table has it"
    assert {key for key in KEYS if values[key] is not None} == row.figures.keys()


def test_the_digest_of_a_run_is_of_all_its_record_and_of_a_baseline_of_its_figures_alone() -> None:
    run, real = lecture()[0], baseline("held-out", {"fid": 0.1})
    run.images_seen = 100
    before = digest(run), digest(real)
    for one in (run, real):
        one.code = {"commit": "another"}
    assert digest(run) != before[0]
    assert digest(real) == before[1]
    next(iter(real.results.values())).metrics["fid"] = 0.2
    assert digest(real) != before[1]
