"""What a run is doing at this moment, kept beside it for whoever looks on from another process."""

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
from bench.runtime.locks import held

SECONDS_BETWEEN_WORDS = 2.0


@dataclass(frozen=True)
class Running:
    """One piece of a run's work: `done` of `total` units.

    seconds: spent on it so far, by this process; left: seconds that it will still take; curves: as in a record, of the
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
    """Keep what the first rank's bars of the block show in folder/live.json, which ends with it.

    A full disk ends nothing.
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
        told = Running(
            run_id, config, bar.description, bar.done, bar.total, bar.unit, bar.seconds, bar.curves, bar.left
        )
        with suppress(OSError):
            write_text(file, json.dumps(asdict(told)))

    progress.watcher = look
    try:
        yield
    finally:
        progress.watcher = None
        with suppress(OSError):
            file.unlink(missing_ok=True)


def running(results: Path) -> list[Running]:
    """What the runs of a results folder are doing; of a process that was killed, whose file stays, nothing."""
    found = []
    for file in visible(results, ResultsFolder(results).statuses):
        try:
            one = Running(**json.loads(file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):  # ended just now, or was of another version
            continue
        if held(results, one.run_id):
            found.append(one)
    return found
