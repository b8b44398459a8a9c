"""The progress of a run in progress, kept in a file for other processes to read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.results.layout import STATUS, ResultsFolder
from bench.runtime import console as progress
from bench.runtime import ranks
from bench.runtime.console import Bar
from bench.runtime.files import visible, write_text
from bench.runtime.locks import is_held

SECONDS_BETWEEN_WORDS = 2.0


@dataclass(frozen=True)
class Running:
    """One part of a run's work: `done` of `total` units.

    seconds: spent on it so far, by this process. left: estimated seconds to its end. curves: as in a record, of the
    training only.
    """

    run_id: str
    config: dict[str, Any]
    stage: str
    done: int
    total: int
    unit: str
    seconds: float
    curves: dict[str, list[float]]
    left: float | None = None


@contextmanager
def publish_status(run_id: str, config: dict[str, Any], folder: Path) -> Iterator[None]:
    """Keep the state of the first rank's progress bars in folder/live.json, which is deleted at the end of the block.

    A full disk is ignored.
    """
    if ranks.rank():
        yield
        return
    file, spoken = folder / STATUS, 0.0

    def look(bar: Bar) -> None:
        nonlocal spoken
        if bar.now - spoken < SECONDS_BETWEEN_WORDS:
            return
        spoken = bar.now
        current = Running(
            run_id, config, bar.description, bar.done, bar.total, bar.unit, bar.seconds, bar.curves, bar.left
        )
        with suppress(OSError):
            write_text(file, json.dumps(asdict(current)))

    progress.watcher = look
    try:
        yield
    finally:
        progress.watcher = None
        with suppress(OSError):
            file.unlink(missing_ok=True)


def running(results: Path) -> list[Running]:
    """Return the progress of the runs of a results folder; stale files of killed processes are ignored."""
    runs = []
    for file in visible(results, ResultsFolder(results).statuses):
        try:
            run = Running(**json.loads(file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):  # ended just now, or written by another version
            continue
        if is_held(results, run.run_id):
            runs.append(run)
    return runs
