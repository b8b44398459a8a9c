"""Where each figure of a table comes from: the facts that its details show, as plain values for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.report.collect import Comparison, stated
from bench.results.identity import identity
from bench.results.records import Record, Result
from bench.results.selection import describe
from bench.table.columns import COLUMNS, SECTIONS, Column
from bench.table.figure import Figure, Figures
from bench.table.rows import Row, gather
from bench.table.tasks import Line, entries

Facts = list[tuple[str, str]]  # name, text

BETTER = {"lower": "lower is better", "higher": "higher is better", "": "neither way is better"}


@dataclass(frozen=True)
class Source:
    """One run's share in a row or a line: its own figures, and what they were measured under."""

    record: Record
    figures: Figures
    fingerprint: str
    protocol: Facts
    timed: str = ""


def facts(values: dict[str, Any]) -> Facts:
    """Fields in words; what is empty says so."""
    return [(key.replace("_", " "), str(value) if value not in ("", {}) else "none") for key, value in values.items()]


def measured(comparison: Comparison) -> list[tuple[Row, Source]]:
    """Each result of the comparison's records as a row of its own, and where it comes from."""
    found = []
    for record in comparison.records:
        for key, result in record.results.items():
            (own,) = gather([record.model_copy(update={"results": {key: result}})], comparison.called)
            protocol = stated(result)
            parts = [("in words", protocol.line()), *facts(protocol.to_dict())]
            source = Source(record, own.figures, protocol.fingerprint(), parts, timing(result))
            found.append((own, source))
    return found


def of_row(row: Row, each: Sequence[tuple[Row, Source]]) -> list[Source]:
    """The results that a row is the mean of, in the order of their records."""
    return [
        source
        for own, source in each
        if (own.name, own.family) == (row.name, row.family) and set(own.protocols) <= set(row.protocols)
    ]


def timing(result: Result) -> str:
    """How and on what a result was timed; empty if it was not."""
    if not result.timing:
        return ""
    return f"{result.timing['repeats']} calls of {result.timing['images']} images, on {describe(result.hardware)}"


def of_line(line: Line, comparison: Comparison) -> list[Source]:
    """The measurements that a line of block three is the mean of: one or more a run, each with its own figures."""
    found = []
    for record in comparison.records:
        name = comparison.called[identity(record)]
        for ability in record.abilities.values():
            for section, called, figures in entries(name, record.config["model"], ability):
                if (section, called, record.family) == (line.section, line.name, line.family):
                    protocol = AbilityProtocol.from_dict(ability.protocol)
                    parts = [("in words", protocol.line()), *facts(protocol.to_dict())]
                    known = {key: Figure(value) for key, value in figures.items()}
                    found.append(Source(record, known, protocol.fingerprint(), parts))
    return found


def columns() -> dict[str, Facts]:
    """Every column, by its key (block three: section.key), in words."""
    told = {column.key: told_of(column, column.about) for column in COLUMNS}
    return told | {
        f"{section.key}.{column.key}": told_of(column, f"{section.title}. {section.about}")
        for section in SECTIONS
        for column in section.columns
    }


def told_of(column: Column, about: str) -> Facts:
    return [("metric", column.heading), ("direction", BETTER[column.better]), ("about", about)]


def over(seeds: int) -> str:
    return f"over {seeds} training seeds" if seeds > 1 else "over the samples (timings: over the calls) of one training"


def shared(thing: Row | Line, place: str, sources: Sequence[Source]) -> dict[str, Any]:
    """What the details of all figures of a row or a line hold: its means, and each run's own figures."""
    return {
        "name": thing.name,
        "over": over(thing.seeds),
        "flags": list(thing.flags) if isinstance(thing, Row) else [],
        "figures": exactly(thing.figures),
        "intervals": ends(thing.figures),
        "from": [
            {
                "run": run_key(place, source.record),
                "seed": str(source.record.config.get("seed", "–")),
                "protocol": source.fingerprint,
                "timed": source.timed,
                "figures": exactly(source.figures),
                "intervals": ends(source.figures),
            }
            for source in sources
        ],
    }


def exactly(figures: Figures) -> dict[str, str]:
    """Figures at full precision, as text."""
    return {key: written(figure.value) for key, figure in figures.items()}


def ends(figures: Figures) -> dict[str, str]:
    """The ends of the figures' 95% intervals at full precision, as text."""
    return {key: " – ".join(map(written, figure.interval)) for key, figure in figures.items() if figure.interval}


def written(value: float) -> str:
    return repr(value).removesuffix(".0")


def run_key(place: str, record: Record) -> str:
    """Runs of two folders may have the same id."""
    return f"{place}/{record.run_id}".lstrip("/")
