"""`bench compare RUN RUN`: in what two runs differ, their settings and their figures."""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from rich.console import Console
from rich.markup import escape

from bench.columns import COLUMNS, SECTIONS, UNSURE, Column
from bench.evaluation import Protocol, difference
from bench.grids import Grid, heading
from bench.records import Record
from bench.seeds import Figures, names
from bench.selection import describe, narrowed
from bench.show import recorded, results_of, settings
from bench.table import gather
from bench.terminal import listed
from bench.third_block import lines

TIMES = ("seconds_per_100", "images_per_second", "latency_ms", "train_minutes", "peak_memory_mb")


def compare(first: str, second: str, overrides: Sequence[str]) -> None:
    """Print the settings that differ, and the figures that compare with their differences, second less first."""
    results = results_of("compare", overrides)
    pair = recorded(first, results), recorded(second, results)
    console = Console(highlight=False)
    console.print(f"A: [bold]{first}[/]\nB: [bold]{second}[/]\n")
    grid = different(*(flat(origin(record)) for record in pair))
    console.print(listed("In what they differ", [["", "A", "B"], *grid]) if grid else "Equal in all their settings.")
    shared = [setting for setting in settings(pair[0]) if setting in settings(pair[1])]
    for setting in shared:
        console.print(f"Measured under {escape(settings(pair[0])[setting])}.", style="dim")
        for title, block in blocks(*(narrowed(record, {}, setting) for record in pair)):
            console.print(listed(title, block))
    if not shared:
        console.print(f"[yellow]No figures of samples side by side: {escape(why_not(*pair))}[/]")
    for title, block in abilities(*pair):
        console.print(listed(title, block))
    console.print(
        f"Better: {UNSURE} where the 95% intervals do not tell the two apart, nothing where there are none to judge "
        "by. They are over samples: the chance of a training seed is not in them.",
        style="dim",
    )  # fmt: skip


def origin(record: Record) -> dict[str, Any]:
    """What a record's figures come from, by the names of the settings."""
    config = {key: value for key, value in record.config.items() if key not in ("results", "wandb")}
    made = {"code": record.code, "libraries": record.libraries, "data_digest": record.data_digest[:12]}
    return {**config, **made, "precision": record.precision, "hardware": record.hardware}


def flat(tree: dict[str, Any], before: str = "") -> dict[str, str]:
    """Dotted key -> value as text, of every leaf."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": str(value)}
    return found


def different(a: dict[str, str], b: dict[str, str]) -> Grid:
    """The keys whose values differ, – where one has no such key."""
    keys = dict.fromkeys([*a, *b])
    return [[key, a.get(key, "–"), b.get(key, "–")] for key in keys if a.get(key) != b.get(key)]


def why_not(a: Record, b: Record) -> str:
    """The first reason that no figure of one may stand beside one of the other."""
    stated = [[Protocol.from_dict(result.protocol) for result in record.results.values()] for record in (a, b)]
    if not all(stated):
        return f"{(a if not stated[0] else b).run_id} has none."
    return f"measured otherwise ({'; '.join(difference(stated[0][0], stated[1][0]))})."


def blocks(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """A grid for each sampler that both have; where they have none in common, for each pair of theirs."""
    rows = [{row.name.partition(", ")[2]: row for row in gather([record], names([record]))} for record in (a, b)]
    shared = [key for key in rows[0] if key in rows[1]]
    pairs = [(rows[0][key], rows[1][key]) for key in shared] or list(product(rows[0].values(), rows[1].values()))
    machines = {describe(result.hardware) for record in (a, b) for result in record.results.values() if result.timing}
    machines |= {describe(record.hardware) for record in (a, b) if record.hardware}
    columns = [column for column in COLUMNS if len(machines) == 1 or column.key not in TIMES]
    for left, right in pairs:
        title = " against ".join(dict.fromkeys((left.name, right.name)))
        title += "" if len(machines) == 1 else " (on two machines: without times)"
        yield title, beside(columns, (left.figures, right.figures), (left.intervals, right.intervals))


def abilities(a: Record, b: Record) -> Iterator[tuple[str, Grid]]:
    """What both do beside sampling, where it was measured alike."""
    alike = a.abilities.keys() & b.abilities.keys()
    a, b = (one.model_copy(update={"abilities": {key: one.abilities[key] for key in alike}}) for one in (a, b))
    of = [lines([record], names([record])) for record in (a, b)]
    for section in SECTIONS:
        left, right = ([line for line in found if line.section == section.key] for found in of)
        for one, other in zip(left, right, strict=False):
            title = f"{section.title}: {' against '.join(dict.fromkeys((one.name, other.name)))}"
            yield title, beside(section.columns, (one.figures, other.figures), (one.intervals, other.intervals))


def beside(columns: Sequence[Column], figures: tuple[Figures, Figures], intervals: tuple[Figures, Figures]) -> Grid:
    """A line for each figure that either has: both with their intervals, B – A, and which is better."""
    grid = [["", "A", "B", "B – A", "better"]]
    for column in columns:
        values = [one.get(column.key) for one in figures]
        if values == [None, None]:
            continue
        shown = [column.show(value, one.get(column.key)) for value, one in zip(values, intervals, strict=True)]
        grid.append(
            [heading(column), *shown, *verdict(column, values, [one.get(column.key, 0.0) for one in intervals])]
        )
    return grid


def verdict(column: Column, values: Sequence[float | None], margins: Sequence[float]) -> tuple[str, str]:
    """B – A as text, and A, B, = or UNSURE; nothing where there is no better, or no interval to judge by."""
    a, b = values
    if a is None or b is None:
        return "–", ""
    apart = ("+" if b > a else "") + column.show(b - a)
    if a == b:
        return apart, "="
    if not any(margins):
        return apart, ""
    if abs(b - a) <= math.hypot(*margins):
        return apart, UNSURE
    return apart, {"": "", "higher": "AB"[b > a], "lower": "AB"[b < a]}[column.better]
