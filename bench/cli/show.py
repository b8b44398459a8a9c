"""`bench show RUN`: one record, for people."""

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from bench.config.load import results_of
from bench.config.schema import Config, ConfigError, check
from bench.results.layout import ResultsFolder
from bench.results.records import Record
from bench.results.selection import narrowed, recorded
from bench.runs.plan import missing_metrics, plan, sentence
from bench.runtime.files import visible
from bench.table.aggregate import names
from bench.table.describe import said, settings
from bench.table.rows import gather
from bench.table.tasks import lines
from bench.table.terminal import listed, show_figures, show_sections

BARS = "▁▂▃▄▅▆▇█"
POINTS = 40  # of a curve drawn as characters


def show(run: str, overrides: Sequence[str]) -> None:
    """Print what the run was, how its losses fell, and its figures under each way in which they were measured."""
    results = results_of("show", overrides)
    record = recorded(run, results)
    console = Console(highlight=False)
    console.rule(f"[bold]{record.run_id}")
    facts = RichTable(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, text in (said(record) | files(record, results) | missing(record)).items():
        facts.add_row(f"[dim]{name}[/]", escape(text))
    console.print(facts)
    if record.curves:
        console.print(listed("While it trained", curves(record.curves)))
    called = names([record])
    for setting, line in settings(record).items():
        rows = gather([narrowed(record, {}, setting)], called)
        show_figures(rows, console)
        for row in rows:
            console.print("\n".join(f"† {row.name}: {flag}" for flag in row.flags), style="yellow")
        console.print(f"Measured under {escape(line)}.", style="dim")
    show_sections(lines([record], called), console)


def files(record: Record, results: Path) -> dict[str, str]:
    """What else there is of the run."""
    folder = ResultsFolder(results)
    weights = folder.weights(record.run_id)
    drawn = visible(folder.pictures(record.run_id), "**/*.png")
    return {
        **({"checkpoint": str(weights)} if weights.exists() else {}),
        **({"pictures": f"{drawn[0].parent} ({', '.join(file.stem for file in drawn)})"} if drawn else {}),
    }


def missing(record: Record) -> dict[str, str]:
    """What the next call of the run's command would do, as far as that is known without its data and its model."""
    if not record.images_seen:  # real images, or another program's
        reasons = dict.fromkeys(
            reason for result in record.results.values() for reason in missing_metrics(result).values()
        )
        return {"missing": "; ".join(reasons)} if reasons else {}
    try:
        config: Config = check(Config, record.config)
    except ConfigError as error:
        return {"missing": f"unknown, because its configuration is of another version: {error}"}
    # those that were measured before: which others the model has, only its class could tell, which takes torch
    steps = plan(config, record, abilities={ability.protocol["ability"] for ability in record.abilities.values()})
    return {"missing": sentence(steps)} if steps else {}


def curves(kept: dict[str, list[float]]) -> list[list[str]]:
    """First, least and last value of each curve, and its course in characters; the least at the bottom."""
    grid = [["", "first", "least", "last", f"over {kept['images_seen'][-1]:,.0f} images"]]
    for name, values in kept.items():
        known = [value for value in values if math.isfinite(value)]
        if name != "images_seen" and known:
            grid.append([name, *(f"{value:.4g}" for value in (known[0], min(known), known[-1])), drawn(values)])
    return grid


def drawn(values: Sequence[float]) -> str:
    """A curve in at most POINTS characters, linear from its least value to its greatest; gaps for what is no number."""
    count = min(POINTS, len(values))
    chosen = [values[round(k * (len(values) - 1) / max(1, count - 1))] for k in range(count)]
    known = [value for value in chosen if math.isfinite(value)]
    low, span = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    return "".join(
        BARS[min(len(BARS) - 1, int((value - low) / span * len(BARS)))] if math.isfinite(value) else " "
        for value in chosen
    )
