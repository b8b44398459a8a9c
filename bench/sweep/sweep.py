"""`bench sweep`: many runs from one file in W&B's format, none of them lost, none done twice."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.locks import exclusive
from bench.paths import check_results
from bench.plan import sentence
from bench.progress import console
from bench.records import failures
from bench.schema import ConfigError
from bench.signals import status
from bench.sweep.cells import Planned, all_cells, complete, missing, one_folder, probes
from bench.sweep.cost_model import Costs
from bench.sweep.executor import Executor
from bench.sweep.local import LocalExecutor, in_words, places, visible_gpus
from bench.sweep.optuna_search import Proposals
from bench.sweep.result import show_result, timed_otherwise
from bench.sweep.scheduler import Loop
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
    file, planned, results = checked(where, overrides)
    with ExitStack() as stack:
        total, typical, proposals = len(planned), planned[0], None
        if file.method == "bayes":
            proposals = stack.enter_context(kept_proposals(file, Path(where).stem, overrides, results))
            planned, total = proposals.cells(), file.run_cap or 0
        recorded = [one for one in planned if complete(one)]
        unfinished = [one for one in planned if one not in recorded]
        loop = Loop(file.name or Path(where).stem, unfinished, total, len(recorded), Costs(results), typical)
        if loop.state.waiting:
            executor, loop.places, where_they_run = start(machines, [*planned, typical], total, results)
            announce(loop, results, where_they_run)
            if isinstance(executor, LocalExecutor):
                warn(timed_otherwise(recorded, executor.threads, executor.jobs))
            try:
                loop.run(executor, proposals.next if proposals else None)
            except KeyboardInterrupt as stop:
                console.print("[yellow]stopped; what ran has saved its state, and the same command goes on from it[/]")
                return status(stop)
        else:
            announce(loop, results, "")
        return show_result(proposals.cells() if proposals else planned, loop.state.failed, results)


def check_options(machines: Machines) -> None:
    """Refuse an option of the executor that was not chosen."""
    ray = machines.executor == "ray"
    wrong = {"--jobs": machines.jobs} if ray else {"--address": machines.address, "--gpus": machines.gpus}
    for option, value in wrong.items():
        if value is not None:
            raise ConfigError(f"{option}={value}: belongs to --executor {'local' if ray else 'ray'}; take it out")
    if machines.jobs is not None and machines.jobs < 1:
        raise ConfigError(f"--jobs={machines.jobs}: at least one run at a time")
    if machines.gpus is not None and machines.gpus < 0:
        raise ConfigError(f"--gpus={machines.gpus}: at least 0 for each device of a run")


def checked(where: str, overrides: Sequence[str]) -> tuple[SweepFile, list[Planned], Path]:
    """The file, its cells (of a bayes file samples of them) and their results folder; an error names the file."""
    try:
        file = read(where)
        planned = probes(file, overrides) if file.method == "bayes" else all_cells(file, overrides)
        return file, planned, check_results(one_folder(planned), writes=True)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


@contextmanager
def kept_proposals(file: SweepFile, stem: str, overrides: Sequence[str], results: Path) -> Iterator[Proposals]:
    """The proposals of a bayes file, which one sweep at a time may add to."""
    proposals = Proposals(file, stem, overrides, results)
    with exclusive(results, proposals.name):
        proposals.load()
        yield proposals


def start(
    machines: Machines, planned: Sequence[Planned], total: int, results: Path
) -> tuple[Executor, int | None, str]:
    """The executor, how many cells it runs at once if that is known, and where, in words."""
    if machines.executor == "ray":
        from bench.sweep.ray import RayExecutor

        return RayExecutor(machines.address, machines.gpus or 0, results), None, "as many at once as the cluster takes"
    gpus = [] if all(one.config.trainer.accelerator == "cpu" for one in planned) else visible_gpus()
    widest = max(one.cell.devices for one in planned)
    if gpus and widest > len(gpus):
        raise ConfigError(f"trainer.devices={widest}: this machine has {len(gpus)} GPUs")
    if gpus and widest > 1 and (machines.jobs or 1) > len(gpus):
        raise ConfigError(f"--jobs={machines.jobs}: runs on {widest} devices share none; at most --jobs={len(gpus)}")
    made = places(machines.jobs, total, gpus)
    return LocalExecutor(made, results), len(made), in_words(made)


def announce(loop: Loop, results: Path, where_they_run: str) -> None:
    """What will be done and what is done, how long it may take, and where that is known from."""
    state = loop.state
    before = {failure.run_id for failure in failures(results)} & {one.cell.run_ids[0] for one in loop.waiting}
    again = f", {len(before)} of which failed before" if before else ""
    console.print(
        f"[bold]{state.title}[/]: {state.total} runs in {results}: {state.recorded} recorded and skipped, "
        f"{state.waiting} to run{again}"
    )
    if lacks := [step for one in loop.waiting for step in missing(one) if step.what != "training"]:
        console.print(f"  missing of recorded runs: {sentence(lacks)}")
    if state.waiting:
        costs = [loop.costs.of(one.config) for one in [*loop.waiting, loop.typical]]
        machines = sorted({machine for cost in costs if cost for machine in cost.machines})
        known = f", as measured on {' and '.join(machines)}" if machines else ""
        console.print(f"  {where_they_run}; estimated: {loop.left()}{known}")


def warn(sentence: str) -> None:
    if sentence:
        console.print(f"  {sentence}", style="yellow", markup=False)
