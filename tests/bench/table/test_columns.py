"""Columns agree with the metrics, print a figure with its interval, and bound it."""

import math

import pytest

from bench.evaluation.metrics.registry import METRICS, OTHER_FIGURES
from bench.results.records import MetricColumn, Result
from bench.table.columns import BLOCKS, COLUMNS, OWN, SIGNIFICANT, Column, blocks_of, columns_of, own_columns
from bench.table.figure import Figure, mean


def test_columns_agree_with_the_metrics_on_what_is_better() -> None:
    better = {column.key: column.better for column in COLUMNS}
    for name, metric in METRICS.items():
        assert better[name] == metric.direction.replace("neither", "")


def test_files_have_an_optional_column_where_a_row_has_its_figure() -> None:
    """Files of records from before the column stay as they were."""
    always = [column for column in COLUMNS if not column.optional]
    assert columns_of(["fid"]) == always
    assert {column.key for column in columns_of(["fld", "fid"])} == {column.key for column in always} | {"fld"}
    assert columns_of([column.key for column in COLUMNS]) == list(COLUMNS)


def test_a_metric_that_is_not_the_suites_has_the_column_that_its_record_states_or_its_name() -> None:
    stated = MetricColumn(heading="gap", form=".1f", direction="lower", source="here")
    results = [
        Result(protocol={}, metrics={"fid": 1.0, "b": 1.0, "a": 1.0}, hardware={}),
        Result(protocol={}, metrics={"b": 1.0}, columns={"b": stated, "c": stated}, hardware={}),
    ]
    a, b = own_columns(results)
    assert (a.key, a.heading, a.form, a.better, a.optional) == ("a", "a", SIGNIFICANT, "", True)
    assert (b.heading, b.form, b.better, b.about) == ("gap", ".1f", "lower", "here")
    assert blocks_of([]) == BLOCKS
    assert blocks_of([a, b]) == BLOCKS | {OWN: [a, b]}
    assert columns_of(["b"], [a, b]) == [*columns_of([]), b]


def test_no_metric_of_the_users_own_can_take_the_key_of_another_figure() -> None:
    assert {column.key for column in COLUMNS} <= {*METRICS, *OTHER_FIGURES}


def test_intervals_print_by_their_symmetry() -> None:
    column = Column("x", "x", ".2f")
    assert column.show(Figure(0.3)) == "0.30"
    assert column.show(Figure(0.3, 0.3 - 0.1, 0.3 + 0.1, 19)) == "0.30 ± 0.10"
    assert column.show(Figure(0.05, 0.0, 0.17, 2)) == "0.05 (0.00 – 0.17)"
    assert column.show(Figure(7.0, 7.0, 7.0, 2)) == "7.00 ± 0.00"
    assert column.show(None) == "–"


@pytest.mark.parametrize("key", [column.key for column in COLUMNS if column.bounds[0] > -math.inf])
def test_a_mean_over_seeds_has_no_interval_beyond_its_columns_bounds(key: str) -> None:
    column = next(one for one in COLUMNS if one.key == key)
    low, high = column.bounds
    near = [low + 0.001, low + 0.05, low + 0.01]
    for values in (near, [high - value for value in near] if high < math.inf else near):
        interval = mean(values, column.bounds).interval
        assert interval
        assert low <= interval[0] <= min(values)
        assert max(values) <= interval[1] <= high
