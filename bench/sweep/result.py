"""The result of a sweep: the table over seeds, the failures, and whether one table may hold all of it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.results.records import RecordError, find, read_all
from bench.results.selection import TableError, select
from bench.runtime.console import console
from bench.sweep.cells import Planned
from bench.sweep.display import show_failure
from bench.sweep.executor import Outcome
from bench.table import render, terminal
from bench.table.build import build
from bench.tracking.push import push_table


def other_timing(recorded: Sequence[Planned], threads: int, now: int) -> str:
    """A sentence if recorded runs were timed on another share of a machine than the coming ones; "" if none was.

    threads, now: of each run to come, and how many of them run at once.
    """
    found = [record for cell in recorded if (record := find(cell.results, cell.cell.run_id))]
    shares = {
        (int(result.hardware["threads"]), int(result.hardware.get("jobs", 1)))
        for record in found
        for result in record.results.values()
        if result.timing
    }
    if not shares - {(threads, now)}:
        return ""
    earlier = " and ".join(f"{threads} CPU threads, {jobs} at once" for threads, jobs in sorted(shares))
    alike = f", or --jobs={max(shares)[1]} times them alike" if len(shares) == 1 else ""
    return (
        f"recorded runs were timed with {earlier}; those to come will be with {threads}, {now} at once, and the "
        f"table judges speed only among runs timed alike: results=DIR keeps them apart{alike}"
    )


def show_result(planned: Sequence[Planned], failed: Sequence[Outcome], results: Path) -> int:
    """Print the table and the failures; the exit status: 1 if any cell failed."""
    show_table(planned, results)
    for outcome in failed:
        show_failure(outcome)
    if failed:
        console.print(f"[red]{len(failed)} of {len(planned)} failed[/]; the same command tries them again")
    return 1 if failed else 0


def show_table(planned: Sequence[Planned], results: Path) -> None:
    """`bench table` of the sweep's preset and data, if it has one of each."""
    choices = {
        "preset": sorted({cell.config.preset for cell in planned}),
        "data": sorted({cell.config.data["name"] for cell in planned}),
    }
    if several := {key: values for key, values in choices.items() if len(values) > 1}:
        choice = " ".join(f"{key}={'|'.join(values)}" for key, values in several.items())
        console.print(f"  the table holds one preset and data set: bench table {choice} results={results}")
        return
    try:
        records = select(read_all(results), {key: values[0] for key, values in choices.items()})
        table = build(records, results)
    except (TableError, RecordError) as error:
        console.print(f"[yellow]  no table: {error}[/]")
        return
    written = render.write(table, results)
    terminal.show(table, Console(highlight=False))
    console.print(f"written: {', '.join(map(str, written))}", markup=False)
    wandb = planned[0].config.wandb
    if wandb.mode != "disabled":
        push_table(table, records, results, wandb.project, wandb.mode)
