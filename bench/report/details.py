"""The details of each figure of a table: its runs, protocols and intervals, as plain values for JSON."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.report.collect import Comparison, protocol_of
from bench.results.identity import identity
from bench.results.records import Record, Result
from bench.results.selection import describe
from bench.table.columns import SECTIONS, Column, columns_of
from bench.table.figure import Figure, Figures
from bench.table.rows import Row, gather
from bench.table.tasks import Line, entries

Facts = list[tuple[str, str]]  # name, text

BETTER = {"lower": "lower is better", "higher": "higher is better", "": "neither direction is better"}


@dataclass(frozen=True)
class Source:
    """One run's contribution to a row or a line: its own figures, and their protocol."""

    record: Record
    figures: Figures
    fingerprint: str
    protocol: Facts
    timing_text: str = ""


def facts(values: dict[str, Any]) -> Facts:
    """Return fields as name and text; empty ones say "none"."""
    return [(key.replace("_", " "), str(value) if value not in ("", {}) else "none") for key, value in values.items()]


def result_rows(comparison: Comparison) -> list[tuple[Row, Source]]:
    """Return each result of the comparison's records as a row of its own, with its source."""
    rows = []
    for record in comparison.records:
        for key, result in record.results.items():
            (row,) = gather([record.model_copy(update={"results": {key: result}})], comparison.labels)
            protocol = protocol_of(result)
            parts = [("in words", protocol.line()), *facts(protocol.to_dict())]
            source = Source(record, row.figures, protocol.fingerprint(), parts, timing(result))
            rows.append((row, source))
    return rows


def sources_of_row(row: Row, candidates: Sequence[tuple[Row, Source]]) -> list[Source]:
    """Return the sources of which a row is the mean, in the order of their records."""
    return [
        source
        for candidate, source in candidates
        if (candidate.name, candidate.family) == (row.name, row.family)
        and set(candidate.protocols) <= set(row.protocols)
    ]


def timing(result: Result) -> str:
    """Describe how and on which hardware a result was timed; empty if it was not."""
    if not result.timing:
        return ""
    return f"{result.timing['repeats']} calls of {result.timing['images']} images, on {describe(result.hardware)}"


def sources_of_line(line: Line, comparison: Comparison) -> list[Source]:
    """Return the sources of which a task's line is the mean: one or more for each run."""
    sources = []
    for record in comparison.records:
        name = comparison.labels[identity(record)]
        for ability in record.abilities.values():
            for section, line_name, figures in entries(name, record.config["model"], ability):
                if (section, line_name, record.family) == (line.section, line.name, line.family):
                    protocol = AbilityProtocol.from_dict(ability.protocol)
                    parts = [("in words", protocol.line()), *facts(protocol.to_dict())]
                    line_figures = {key: Figure(value) for key, value in figures.items()}
                    sources.append(Source(record, line_figures, protocol.fingerprint(), parts))
    return sources


def columns(figures: Collection[str], shown: Collection[str], own: Sequence[Column] = ()) -> dict[str, Facts]:
    """Describe every column, by its key (for tasks: section.key, of the sections that are shown).

    figures: keys of the rows' figures, without which optional columns are left out. own: the columns of metrics of the
    user's own.
    """
    facts_of_columns = {column.key: column_facts(column, column.about) for column in columns_of(figures, own)}
    return facts_of_columns | {
        f"{section.key}.{column.key}": column_facts(column, f"{section.title}. {section.about}")
        for section in SECTIONS
        if section.key in shown
        for column in section.columns
    }


def column_facts(column: Column, about: str) -> Facts:
    return [("metric", column.heading), ("direction", BETTER[column.better]), ("about", about)]


def interval_source(seeds: int) -> str:
    return f"over {seeds} training seeds" if seeds > 1 else "over the samples (timings: over the calls) of one training"


def details_of(thing: Row | Line, place: str, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the details of a row or a line: its means, and each run's own figures."""
    return {
        "name": thing.name,
        "over": interval_source(thing.seeds),
        "flags": list(thing.flags) if isinstance(thing, Row) else [],
        "figures": full_precision(thing.figures),
        "intervals": ends(thing.figures),
        "from": [
            {
                "run": run_key(place, source.record),
                "seed": str(source.record.config.get("seed", "–")),
                "protocol": source.fingerprint,
                "timed": source.timing_text,
                "figures": full_precision(source.figures),
                "intervals": ends(source.figures),
            }
            for source in sources
        ],
    }


def full_precision(figures: Figures) -> dict[str, str]:
    """Return figures at full precision, as text."""
    return {key: exact_text(figure.value) for key, figure in figures.items()}


def ends(figures: Figures) -> dict[str, str]:
    """Return the ends of the figures' 95% intervals at full precision, as text."""
    return {key: " – ".join(map(exact_text, figure.interval)) for key, figure in figures.items() if figure.interval}


def exact_text(value: float) -> str:
    return repr(value).removesuffix(".0")


def run_key(place: str, record: Record) -> str:
    """Return the run's id with its folder, because runs of two folders may have the same id."""
    return f"{place}/{record.run_id}".lstrip("/")
