"""A measurement shows its figures in the order and the units of the table's columns, and escapes what it shows."""

import dataclasses

import pytest

from bench.table.columns import COLUMNS
from bench.table.figure import Figure
from generative_trilemma.measurement import Measurement, measured

FIGURES = {"nfe": Figure(20.0), "fid": Figure(2.0, 1.5, 2.5, 19.0), "unknown": Figure(1.0)}


def test_figures_stand_in_the_order_of_the_columns_with_what_these_say() -> None:
    figures = measured(FIGURES)
    assert list(figures) == ["fid", "nfe"]
    column = next(column for column in COLUMNS if column.key == "fid")
    fid = figures["fid"]
    assert (fid.value, fid.interval, fid.text) == (2.0, (1.5, 2.5), "2.00 ± 0.50")
    assert (fid.heading, fid.direction, fid.meaning) == (f"{column.heading} ↓", "lower", column.about)
    assert (figures["nfe"].interval, figures["nfe"].text) == (None, "20")


def test_it_is_frozen_readable_and_escaped() -> None:
    measurement = Measurement("a < b", measured(FIGURES), {"samples": 64}, "of & by", ("few <images>",))
    assert repr(measurement) == "a < b\n  FID ↓  2.00 ± 0.50\n  NFE ↓  20\n  † few <images>\n  of & by"
    markup = measurement._repr_html_()
    assert "a &lt; b" in markup
    assert "few &lt;images&gt;" in markup
    assert '<th scope="row">FID ↓</th><td>2.00 ± 0.50</td><td>lower</td>' in markup
    with pytest.raises(dataclasses.FrozenInstanceError):
        measurement.title = "c"  # type: ignore[misc]
