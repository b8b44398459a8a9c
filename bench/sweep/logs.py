"""The log of a cell: where it lies in the results folder, and its last lines."""

import os
from pathlib import Path

from bench.results.layout import ResultsFolder

TAIL = 4096  # bytes of a log that are searched for its last lines


def log_of(results: Path, cell: str) -> Path:
    """Return the path of a cell's log."""
    return ResultsFolder(results).sweep_logs / f"{cell}.log"


def last_lines(log: Path, count: int, begin: int = 0) -> list[str]:
    """Return the last `count` lines of a log that are not blank, from byte `begin` on."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-count:]
