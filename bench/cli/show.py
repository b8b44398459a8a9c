"""Show one run: its settings, learning curves and figures."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results.records import Record

EXAMPLES = """
bench show RUN
bench show vae-mnist-0-1744cb0c results=results/published
"""
BARS = "▁▂▃▄▅▆▇█"
POINTS = 40  # of a curve drawn as characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id that `bench train` printed")
    parser.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="the folder of its record")


def run(options: argparse.Namespace) -> None:
    """Print what the run was, its learning curves, and its figures under each protocol."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as RichTable

    from bench.config.load import results_of
    from bench.results.selection import narrowed, recorded
    from bench.table.aggregate import names
    from bench.table.columns import own_columns
    from bench.table.describe import facts, settings
    from bench.table.rows import gather
    from bench.table.tasks import lines
    from bench.table.terminal import show_figures, show_sections, text_table

    results = results_of("show", options.overrides)
    record = recorded(options.run, results)
    console = Console(highlight=False)
    console.rule(f"[bold]{record.run_id}")
    overview = RichTable(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, text in (facts(record) | files(record, results) | missing(record)).items():
        overview.add_row(f"[dim]{name}[/]", escape(text))
    console.print(overview)
    if record.curves:
        console.print(text_table("Learning curves", curves(record.curves)))
    row_names = names([record])
    for setting, line in settings(record).items():
        rows = gather([narrowed(record, {}, setting)], row_names)
        show_figures(rows, console, own_columns(record.results.values()))
        for row in rows:
            console.print("\n".join(f"† {row.name}: {flag}" for flag in row.flags), style="yellow")
        console.print(f"Measured under {escape(line)}.", style="dim")
    show_sections(lines([record], row_names), console)


def files(record: "Record", results: Path) -> dict[str, str]:
    """The paths of the run's checkpoint and pictures, where they exist."""
    from bench.results.layout import ResultsFolder
    from bench.runtime.files import visible

    folder = ResultsFolder(results)
    weights = folder.weights(record.run_id)
    pictures = visible(folder.pictures(record.run_id), "**/*.png")
    return {
        **({"checkpoint": str(weights)} if weights.exists() else {}),
        **({"pictures": f"{pictures[0].parent} ({', '.join(file.stem for file in pictures)})"} if pictures else {}),
    }


def missing(record: "Record") -> dict[str, str]:
    """What the same command would still do for this run, as far as its record tells without data and model."""
    from bench.config.schema import Config, ConfigError, check
    from bench.evaluation.metrics.registry import expected
    from bench.runs.plan import missing_metrics, plan, sentence

    if not record.images_seen:  # real images, or another program's
        reasons = dict.fromkeys(
            reason for result in record.results.values() for reason in missing_metrics(result, expected(False)).values()
        )
        return {"missing": "; ".join(reasons)} if reasons else {}
    try:
        config: Config = check(Config, record.config)
    except ConfigError as error:
        return {"missing": f"unknown, because the configuration is of another version: {error}"}
    # those that were measured before: which others the model has, only its class could tell, which takes torch
    steps = plan(config, record, abilities={ability.protocol["ability"] for ability in record.abilities.values()})
    return {"missing": sentence(steps)} if steps else {}


def curves(recorded: dict[str, list[float]]) -> list[list[str]]:
    """The first, least and last value of each curve, and its course in characters."""
    grid = [["", "first", "least", "last", f"over {recorded['images_seen'][-1]:,.0f} images"]]
    for name, values in recorded.items():
        finite = [value for value in values if math.isfinite(value)]
        if name != "images_seen" and finite:
            ends = (finite[0], min(finite), finite[-1])
            grid.append([name, *(f"{value:.4g}" for value in ends), sparkline(values)])
    return grid


def sparkline(values: Sequence[float]) -> str:
    """A curve in at most POINTS characters, linear from its least value to its greatest; gaps are not finite."""
    count = min(POINTS, len(values))
    points = [values[round(k * (len(values) - 1) / max(1, count - 1))] for k in range(count)]
    finite = [value for value in points if math.isfinite(value)]
    low, span = min(finite, default=0.0), (max(finite, default=0.0) - min(finite, default=0.0)) or 1.0
    return "".join(
        BARS[min(len(BARS) - 1, int((value - low) / span * len(BARS)))] if math.isfinite(value) else " "
        for value in points
    )
