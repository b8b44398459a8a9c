"""A table against another: what is within both intervals came out again, what is beyond is named."""

import math
from pathlib import Path
from typing import Any

import pytest

from bench.results.selection import TableError
from bench.table.build import Table, build
from bench.table.columns import LABELS, QUALITY
from bench.table.reproduction import compare_tables
from tests.bench.records import figures, record

HERE = Path("results")


def table(fids: list[float], model: str = "vae", **changes: Any) -> Table:
    rows = [
        record(model, "autoregressive-vae", seed, {"default": figures(fid, 0.9, 0.01, precision=0.5)}, **changes)
        for seed, fid in enumerate(fids)
    ]
    return build(rows, HERE)


def test_a_table_is_as_itself() -> None:
    one = table([3.0, 4.0, 5.0])
    found = compare_tables(one, one)
    assert (found.discrepancies, found.missing) == ([], [])
    assert found.compared == len(one.rows[0].figures.keys() & {column.key for column in (*QUALITY, *LABELS)})


def test_figures_are_apart_where_welchs_interval_of_their_difference_excludes_0() -> None:
    """Of three seeds each, equally spread: 4 degrees of freedom."""
    one = table([3.0, 4.0, 5.0])
    reach = 2.776445 * math.sqrt(2 / 3)
    for shift, apart in ((0.99 * reach, 0), (1.01 * reach, 1), (-1.01 * reach, 1)):
        other = table([3.0 + shift, 4.0 + shift, 5.0 + shift])
        for found in (compare_tables(one, other), compare_tables(other, one)):
            assert [entry.column.key for entry in found.discrepancies] == ["fid"] * apart


@pytest.mark.parametrize("key", [column.key for column in (*QUALITY, *LABELS)])
def test_every_figure_of_the_samples_is_compared(key: str) -> None:
    def of(*values: float) -> Table:
        samples = {"fid": 1.0, "coverage": 0.5, "seconds": 0.01}
        rows = [{"default": figures(**samples) | {key: value}} for value in values]
        return build([record("vae", "autoregressive-vae", seed, row) for seed, row in enumerate(rows)], HERE)

    found = compare_tables(of(0.1, 0.11, 0.12), of(0.8, 0.81, 0.82)).discrepancies
    assert [entry.column.key for entry in found] == [key]


def test_figures_of_two_versions_of_a_metric_are_not_compared() -> None:
    fids = [3.0, 4.0, 5.0]
    newer = [record("vae", "autoregressive-vae", seed, {"default": figures(fid + 9, 0.9, 0.01, precision=0.5)})
             for seed, fid in enumerate(fids)]  # fmt: skip
    for run in newer:
        next(iter(run.results.values())).versions = {"fid": 2}
    here, there = table(fids), build(newer, HERE)
    assert compare_tables(here, there).discrepancies == []
    assert compare_tables(here, there).compared == compare_tables(here, here).compared - 1


def test_a_row_of_one_table_only_is_named_and_two_protocols_are_refused() -> None:
    assert compare_tables(table([3.0, 4.0]), table([3.0, 4.0], "vqvae")).missing == ["vae", "vqvae"]
    with pytest.raises(TableError, match="tables of two protocols: .*2,000 samples.* and .*500 samples"):
        compare_tables(table([3.0, 4.0]), table([3.0, 4.0], samples=500))
