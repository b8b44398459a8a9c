"""The summary is the headline row's figures under W&B's names, each with its interval."""

import pytest

from bench.config.schema import ConfigError
from bench.table.columns import BY_KEY
from bench.table.summary import KEYS, check_metric, intervals, summary
from tests.bench.records import figures, lecture, record


def test_the_figures_are_the_headline_rows_in_the_tables_units() -> None:
    rows = {"ancestral-100": figures(4, 0.9, 9, nfe=100), "ddim-50": figures(8, 0.7, 0.1, nfe=50)}
    found = summary(record("ddpm", "diffusion", rows=rows))
    assert (found["quality/fid"], found["coverage/coverage"], found["speed/nfe"]) == (4, 0.9, 100)
    assert found["quality/kid"] == pytest.approx(0.001 * float(BY_KEY["kid"].scale))
    assert found.keys() <= KEYS.keys()


def test_every_figure_that_has_an_interval_has_its_ends_around_it() -> None:
    run = lecture()[0]
    (result,) = run.results.values()
    assert intervals(run) == {}
    result.intervals = {"fid": (29.0, 32.0)}
    assert intervals(run) == {"quality/fid_low": 29.0, "quality/fid_high": 32.0}


def test_before_the_headline_row_is_measured_there_is_nothing() -> None:
    run = lecture()[2]
    run.results.clear()
    assert (summary(run), intervals(run)) == ({}, {})


def test_an_unknown_metric_is_answered_with_the_known_ones() -> None:
    assert check_metric("quality/fid") == "quality/fid"
    with pytest.raises(ConfigError, match="quality/fid"):
        check_metric("quality/fif")
