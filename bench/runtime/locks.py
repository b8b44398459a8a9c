"""Hold locks below a results folder; the system releases them when the process that holds them ends."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.runtime import ranks
from bench.runtime.console import console

SECONDS_BETWEEN_LOOKS = 0.5


def lock(results: Path, name: str) -> FileLock:
    """Return the lock of this name; it is not acquired yet."""
    return FileLock(results / "locks" / f"{name}.lock")


def try_acquire(file_lock: FileLock) -> bool:
    """Acquire the lock if it is free; return False if another process holds it."""
    Path(file_lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        file_lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


@contextmanager
def exclusive(results: Path, name: str) -> Iterator[None]:
    """Wait for the lock and hold it for the block; in a job of several ranks the first rank holds it."""
    file_lock = lock(results, name)
    waiting = False
    while not ranks.on_first(lambda: try_acquire(file_lock)):
        if not waiting:
            console.print(f"  [yellow]{name}: another process is working on it in {results}; waiting until it ends[/]")
        waiting = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        file_lock.release()


def is_held(results: Path, name: str) -> bool:
    """Return whether another process holds the lock now."""
    file_lock = lock(results, name)
    if not Path(file_lock.lock_file).exists():
        return False
    acquired = try_acquire(file_lock)
    file_lock.release()
    return not acquired
