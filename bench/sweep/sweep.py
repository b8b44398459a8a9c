"""`bench sweep`: run the cells of a sweep file that are not recorded yet, then show the table."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.config.paths import check_results
from bench.config.schema import ConfigError
from bench.results.records import failures
from bench.runs.plan import sentence
from bench.runtime.console import console
from bench.runtime.locks import exclusive
from bench.runtime.signals import status
from bench.sweep.cells import Planned, all_cells, common_folder, missing, probes
from bench.sweep.cost_model import Costs
from bench.sweep.executor import Executor
from bench.sweep.local import LocalExecutor, places, visible_gpus
from bench.sweep.optuna_search import Proposals
from bench.sweep.result import other_timing, show_result
from bench.sweep.scheduler import Scheduler
from bench.sweep.search_space import SweepFile, read


@dataclass(frozen=True)
class Machines:
    """Where cells run: `bench sweep`'s options."""

    executor: str = "local"  # or ray
    jobs: int | None = None  # runs at once on this machine; None: as many as suit it
    address: str | None = None  # of a Ray cluster; None: one is started here
    gpus: float | None = None  # that each device of a run asks Ray for, or a fraction of one; None: none


def sweep(where: str, overrides: Sequence[str], machines: Machines) -> int:
    """Run what the sweep file asks for and is not recorded, then show the table; the exit status of the command."""
    check_options(machines)
    file, cells, results = checked(where, overrides)
    with ExitStack() as stack:
        total, typical, proposals = len(cells), cells[0], None
        if file.method == "bayes":
            proposals = stack.enter_context(kept_proposals(file, Path(where).stem, overrides, results))
            cells, total = proposals.cells(), file.run_cap or 0
        unfinished = [cell for cell in cells if missing(cell)]
        recorded = [cell for cell in cells if cell not in unfinished]
        scheduler = Scheduler(
            file.name or Path(where).stem, unfinished, total, len(recorded), Costs(results), typical
        )  # fmt: skip
        executor = start(machines, [*cells, typical], total, results) if scheduler.state.waiting else None
        announce(scheduler, executor, results)
        if executor:
            if isinstance(executor, LocalExecutor):
                warn(other_timing(recorded, executor.threads, executor.at_once))
            try:
                scheduler.run(executor, proposals.next if proposals else None)
            except KeyboardInterrupt as stop:
                console.print("[yellow]stopped; runs have saved their state, and the same command resumes them[/]")
                return status(stop)
        return show_result(proposals.cells() if proposals else cells, scheduler.state.failed, results)


def check_options(machines: Machines) -> None:
    """Refuse an option of the executor that was not chosen."""
    ray = machines.executor == "ray"
    wrong = {"--jobs": machines.jobs} if ray else {"--address": machines.address, "--gpus": machines.gpus}
    for option, value in wrong.items():
        if value is not None:
            raise ConfigError(f"{option}={value}: belongs to --executor {'local' if ray else 'ray'}; leave it out")
    if machines.jobs is not None and machines.jobs < 1:
        raise ConfigError(f"--jobs={machines.jobs}: at least one run at a time")
    if machines.gpus is not None and machines.gpus < 0:
        raise ConfigError(f"--gpus={machines.gpus}: at least 0 for each device of a run")


def checked(where: str, overrides: Sequence[str]) -> tuple[SweepFile, list[Planned], Path]:
    """The file, its cells (of a bayes file samples of them) and their results folder; an error names the file."""
    try:
        file = read(where)
        cells = probes(file, overrides) if file.method == "bayes" else all_cells(file, overrides)
        return file, cells, check_results(common_folder(cells), writes=True)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


@contextmanager
def kept_proposals(file: SweepFile, stem: str, overrides: Sequence[str], results: Path) -> Iterator[Proposals]:
    """The proposals of a bayes file, which one sweep at a time may add to."""
    proposals = Proposals(file, stem, overrides, results)
    with exclusive(results, proposals.name):
        proposals.load()
        yield proposals


def start(machines: Machines, cells: Sequence[Planned], total: int, results: Path) -> Executor:
    """The executor for these cells; ConfigError where it has no room for the widest of them."""
    if machines.executor == "ray":
        from bench.sweep.ray import RayExecutor

        return RayExecutor(machines.address, machines.gpus or 0, results)
    gpus = [] if all(cell.config.trainer.accelerator == "cpu" for cell in cells) else visible_gpus()
    widest = max(cell.cell.devices for cell in cells)
    if gpus and widest > len(gpus):
        raise ConfigError(f"trainer.devices={widest}: this machine has {len(gpus)} GPUs")
    if gpus and widest > 1 and (machines.jobs or 1) > len(gpus):
        raise ConfigError(f"--jobs={machines.jobs}: runs on {widest} devices share none; at most --jobs={len(gpus)}")
    return LocalExecutor(places(machines.jobs, total, gpus), results)


def announce(scheduler: Scheduler, executor: Executor | None, results: Path) -> None:
    """Print how many runs are recorded, how many will run and where, and how long that may take."""
    state, waiting = scheduler.state, scheduler.waiting
    before = {failure.run_id for failure in failures(results)} & {cell.cell.run_id for cell in waiting}
    again = f", {len(before)} of which failed before" if before else ""
    console.print(
        f"[bold]{state.title}[/]: {state.total} runs in {results}: {state.recorded} recorded and skipped, "
        f"{state.waiting} to run{again}"
    )
    if lacks := [step for cell in waiting for step in missing(cell) if step.what != "training"]:
        console.print(f"  missing of recorded runs: {sentence(lacks)}")
    if executor:
        scheduler.at_once = executor.at_once
        costs = [scheduler.costs.of(cell.config) for cell in [*waiting, scheduler.typical]]
        machines = sorted({machine for cost in costs if cost for machine in cost.machines})
        source = f", as measured on {' and '.join(machines)}" if machines else ""
        console.print(f"  {executor.description}; estimated: {scheduler.time_left()}{source}")


def warn(text: str) -> None:
    if text:
        console.print(f"  {text}", style="yellow", markup=False)
