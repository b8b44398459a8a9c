"""Read what is recorded: the records of a results folder, and their table as HTML or as a frame. Imports no torch."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.paths import check_results, expand
from bench.results.records import Record, read_all
from bench.results.selection import select, table_selection
from bench.runtime.errors import InputError
from bench.table.build import Table, build
from bench.table.html import html
from bench.table.render import figure_lines, markdown
from generative_trilemma.settings import Setting, python_names, words

if TYPE_CHECKING:
    import pandas
    import polars


def records(results: str | os.PathLike[str] = "results") -> list[Record]:
    """Return every record of a results folder, sorted by name: runs, real-data baselines and images of others.

    Raises InputError if there is no such folder or a record in it is damaged.
    """
    folder = check_results(Path(expand("results", os.fspath(results))))
    if not folder.is_dir():
        raise InputError(f"results={folder}: no such folder", key="results", value=str(folder))
    return read_all(folder)


def table(results: str | os.PathLike[str] | None = None, **selection: Setting) -> "ResultsTable":
    """Return the table of recorded runs, as `bench table` prints it; no file is written.

    results: the folder; None: that of the preset if one is given, otherwise "results".
    selection: `preset`, `data`, `protocol`, `evaluation__samples`, `evaluation__seed` and `evaluation__chunk` choose
    where the records are of several.

    Raises InputError if there are no evaluated runs, or the records do not compare and nothing chooses among them.
    """
    place: dict[str, Setting] = {} if results is None else {"results": results}
    with python_names():
        folder, wanted = table_selection(words(place | selection))
        return ResultsTable(build(select(read_all(folder), wanted), folder))


@dataclass(frozen=True, repr=False)
class ResultsTable:
    """The comparison of recorded runs. Jupyter shows it as HTML; `str()` is the text of TABLE.md.

    comparison: marks, rows and tasks as `bench.table.build` has them.
    """

    comparison: Table

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the figures as in TABLE.csv, a line for each row, NaN where not measured.

        Values are in the units of the columns' headings; `KEY_low` and `KEY_high` are the ends of 95% intervals.
        Raises InputError if pandas is not installed.
        """
        pandas = library("pandas")
        lines = figure_lines(self.comparison)
        return pandas.DataFrame(lines).astype(dict.fromkeys(numbers(lines[0]), float))

    def to_polars(self) -> "polars.DataFrame":
        """Return the same figures for polars, null where not measured; InputError if polars is not installed."""
        polars = library("polars")
        lines = figure_lines(self.comparison)
        return polars.DataFrame(lines, schema_overrides=dict.fromkeys(numbers(lines[0]), polars.Float64))

    def __repr__(self) -> str:
        own = self.comparison
        return f"<ResultsTable of {own.data}, preset {own.preset}: {', '.join(row.name for row in own.all_rows)}>"

    def __str__(self) -> str:
        return markdown(self.comparison)

    def _repr_html_(self) -> str:
        return html(self.comparison)


def numbers(line: dict[str, Any]) -> list[str]:
    """Return the keys of figures and of the ends of their intervals."""
    keys = [key.removesuffix("_low") for key in line if key.endswith("_low")]
    return [key + end for key in keys for end in ("", "_low", "_high")]


def library(name: str) -> Any:
    """Import an optional library of frames; InputError if it is not installed."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"table: to_{name} needs {name}, which is not installed: pip install {name}") from None
