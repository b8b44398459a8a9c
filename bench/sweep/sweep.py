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
from bench.runtime.load import own_cores
from bench.runtime.locks import exclusive
from bench.runtime.signals import status
from bench.sweep.cells import (
    PlannedCell,
    all_cells,
    common_folder,
    is_recorded,
    missing_but_timings,
    missing_steps,
    probes,
)
from bench.sweep.cost_model import Costs, timing_seconds
from bench.sweep.executor import Executor, Outcome
from bench.sweep.local import LocalExecutor, places, visible_gpus
from bench.sweep.optuna_search import Proposals
from bench.sweep.result import show_result, timing_difference
from bench.sweep.scheduler import Scheduler
from bench.sweep.search_space import SweepFile, read


@dataclass(frozen=True)
class Machines:
    """Where cells run: the options of `bench sweep`."""

    executor: str = "local"  # or ray
    jobs: int | None = None  # runs at once on this machine; None: as many as suit it
    address: str | None = None  # of a Ray cluster; None: one is started here
    gpus: float | None = None  # that each device of a run asks Ray for, or a fraction of one; None: none


def sweep(location: str, overrides: Sequence[str], machines: Machines) -> int:
    """Run the cells of a sweep file that are not recorded, show the table, and return the command's exit status."""
    check_options(machines)
    file, cells, results = load_cells(location, overrides)
    with ExitStack() as stack:
        total, typical, proposals = len(cells), cells[0], None
        if file.method == "bayes":
            proposals = stack.enter_context(exclusive_proposals(file, Path(location).stem, overrides, results))
            cells, total = proposals.cells(), file.run_cap or 0
        recorded_cells = [cell for cell in cells if not missing_steps(cell)]
        executor = None
        if total > len(recorded_cells):
            # the metric of proposals may be a timing, which is then due with each run
            executor = create_executor(machines, [*cells, typical], total, results, postponable=proposals is None)
        alone = isinstance(executor, LocalExecutor) and executor.postpone_timings
        queue = [cell for cell in cells if (missing_but_timings(cell) if alone else missing_steps(cell))]
        title = file.name or Path(location).stem
        scheduler = Scheduler(title, queue, total, len(cells) - len(queue), Costs(results), typical)
        announce(scheduler, executor, recorded_cells, results)
        failed = scheduler.state.failed
        try:
            if executor:
                scheduler.run(executor, proposals.next if proposals else None)
            if alone:
                failed = [*failed, *time_alone(title, cells, results)]
        except KeyboardInterrupt as stop:
            console.print("[yellow]stopped; runs have saved their state, and the same command resumes them[/]")
            return status(stop)
        return show_result(proposals.cells() if proposals else cells, failed, results)


def time_alone(title: str, cells: Sequence[PlannedCell], results: Path) -> list[Outcome]:
    """Time the samplers of the recorded runs that lack it, one run after another on all cores; return the failures."""
    queue = [cell for cell in cells if is_recorded(cell) and missing_steps(cell)]
    if not queue:
        return []
    costs, executor = Costs(results, timing_seconds), LocalExecutor(places(1, len(queue), []), results)
    scheduler = Scheduler(f"{title}, timings", queue, len(queue), 0, costs, queue[0])
    scheduler.concurrency = executor.concurrency
    console.print(f"  to time, one after another on all cores: {len(queue)} runs; estimated: {scheduler.time_left()}")
    scheduler.run(executor)
    return scheduler.state.failed


def check_options(machines: Machines) -> None:
    """Refuse options out of range, and those of the executor that was not chosen."""
    ray = machines.executor == "ray"
    conflicts = {"--jobs": machines.jobs} if ray else {"--address": machines.address, "--gpus": machines.gpus}
    for option, value in conflicts.items():
        if value is not None:
            raise ConfigError(f"{option}={value}: applies to --executor={'local' if ray else 'ray'} only; leave it out")
    if machines.jobs is not None and machines.jobs < 1:
        raise ConfigError(f"--jobs={machines.jobs}: must be at least 1")
    if machines.gpus is not None and machines.gpus < 0:
        raise ConfigError(f"--gpus={machines.gpus}: must be at least 0")


def load_cells(location: str, overrides: Sequence[str]) -> tuple[SweepFile, list[PlannedCell], Path]:
    """Return the sweep file, its cells (of a bayes file its probes) and their results folder; errors name the file."""
    try:
        file = read(location)
        cells = probes(file, overrides) if file.method == "bayes" else all_cells(file, overrides)
        return file, cells, check_results(common_folder(cells), writes=True)
    except ConfigError as error:
        raise error.prefixed(location) from None


@contextmanager
def exclusive_proposals(file: SweepFile, stem: str, overrides: Sequence[str], results: Path) -> Iterator[Proposals]:
    """Load the proposals of a bayes file, and hold the lock by which only one sweep at a time adds to them."""
    proposals = Proposals(file, stem, overrides, results)
    with exclusive(results, proposals.name):
        proposals.load()
        yield proposals


def create_executor(
    machines: Machines, cells: Sequence[PlannedCell], total: int, results: Path, postponable: bool
) -> Executor:
    """Return the executor for these cells; raise ConfigError if it has no room for the widest of them.

    postponable: where cells share a CPU, their samplers may be timed afterwards.
    """
    if machines.executor == "ray":
        from bench.sweep.ray import RayExecutor

        return RayExecutor(machines.address, machines.gpus or 0, results)
    gpus = [] if all(cell.config.trainer.accelerator == "cpu" for cell in cells) else visible_gpus()
    devices = max(cell.cell.devices for cell in cells)
    if gpus and devices > len(gpus):
        raise ConfigError(
            f"trainer.devices={devices}: this machine has {len(gpus)} GPUs; choose at most trainer.devices={len(gpus)}"
        )
    if gpus and devices > 1 and (machines.jobs or 1) > len(gpus):
        raise ConfigError(
            f"--jobs={machines.jobs}: runs on {devices} devices cannot share a GPU; choose at most --jobs={len(gpus)}"
        )
    shares = places(machines.jobs, total, gpus)
    return LocalExecutor(shares, results, postpone_timings=postponable and not gpus and len(shares) > 1)


def announce(
    scheduler: Scheduler, executor: Executor | None, recorded_cells: Sequence[PlannedCell], results: Path
) -> None:
    """Print how many runs are recorded, how many will run and where, and how long that may take."""
    state, queue = scheduler.state, scheduler.queue
    earlier_failures = {failure.run_id for failure in failures(results)} & {cell.cell.run_id for cell in queue}
    repeats = f", {len(earlier_failures)} of which failed before" if earlier_failures else ""
    console.print(
        f"[bold]{state.title}[/]: {state.total} runs in {results}: {state.recorded} recorded and skipped, "
        f"{state.waiting} to run{repeats}"
    )
    if steps := [step for cell in queue for step in missing_steps(cell) if step.what != "training"]:
        console.print(f"  missing from recorded runs: {sentence(steps)}")
    if executor:
        scheduler.concurrency = executor.concurrency
        costs = [scheduler.costs.estimate(cell.config) for cell in [*queue, scheduler.typical]]
        machines = sorted({machine for cost in costs if cost for machine in cost.machines})
        source = f", as measured on {' and '.join(machines)}" if machines else ""
        console.print(f"  {executor.description}; estimated: {scheduler.time_left()}{source}")
        warn_of_other_timings(executor, recorded_cells)


def warn_of_other_timings(executor: Executor, recorded_cells: Sequence[PlannedCell]) -> None:
    """Print a warning where recorded runs were timed on another share of the machine than new ones will be."""
    if not isinstance(executor, LocalExecutor):
        return
    share = (len(own_cores()), 1) if executor.postpone_timings else (executor.threads, executor.concurrency)
    if difference := timing_difference(recorded_cells, *share):
        console.print(f"  {difference}", style="yellow", markup=False)
