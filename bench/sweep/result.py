"""Show the result of a sweep: the table over seeds, the failures, and whether one table may hold all of it."""

from collections.abc import Sequence
from pathlib import Path

from bench.results.records import RecordError, find, read_all
from bench.results.selection import REFERENCES, TableError, select
from bench.runtime.console import console
from bench.sweep.cells import PlannedCell
from bench.sweep.display import show_failure
from bench.sweep.executor import Outcome
from bench.table.build import build
from bench.table.output import write_and_show
from bench.tracking.push import push_table


def timing_difference(recorded_cells: Sequence[PlannedCell], threads: int, jobs: int) -> str:
    """Return a sentence if recorded runs were timed on another share of a machine than the new ones, else "".

    threads, jobs: of each new run, and how many of them run at once.
    """
    records = [record for cell in recorded_cells if (record := find(cell.results, cell.cell.run_id))]
    shares = {
        (int(result.hardware["threads"]), int(result.hardware.get("jobs", 1)))
        for record in records
        for result in record.results.values()
        if result.timing
    }
    if not shares - {(threads, jobs)}:
        return ""
    earlier = " and ".join(describe_share(*share) for share in sorted(shares))
    remedy = f", or time them alike with --jobs={max(shares)[1]}" if len(shares) == 1 else ""
    return (
        f"recorded runs were timed with {earlier}; new runs will be timed with {describe_share(threads, jobs)}. "
        f"The table compares speed only among runs timed alike: keep them apart with results=DIR{remedy}"
    )


def describe_share(threads: int, jobs: int) -> str:
    """Return a run's share of a machine in words."""
    return f"{threads} CPU threads, {jobs} at once"


def show_result(cells: Sequence[PlannedCell], failures: Sequence[Outcome], results: Path) -> int:
    """Print the table and the failures, and return the exit status: 1 if any cell failed."""
    show_table(cells, results)
    for outcome in failures:
        show_failure(outcome)
    if failures:
        console.print(f"[red]{len(failures)} of {len(cells)} failed[/]; the same command tries them again")
    return 1 if failures else 0


def show_table(cells: Sequence[PlannedCell], results: Path) -> None:
    """Print `bench table` of the sweep's presets and data, if it has one data set."""
    datasets = sorted({cell.config.data["name"] for cell in cells})
    if len(datasets) > 1:
        console.print(f"  a table covers one data set: bench table data={'|'.join(datasets)} results={results}")
        return
    own_presets = {cell.config.preset for cell in cells}
    try:
        of_data = select(read_all(results), {"data": datasets[0]})
        records = [record for record in of_data if record.family in REFERENCES or record.preset in own_presets]
        table = build(records, results)
    except (TableError, RecordError) as error:
        console.print(f"[yellow]  no table: {error}[/]")
        return
    write_and_show(table, results)
    wandb = cells[0].config.wandb
    if wandb.mode != "disabled":
        push_table(table, records, results, wandb.project, wandb.mode)
