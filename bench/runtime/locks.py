"""One process at a time: locks below a results folder, which end with the process that holds them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.runtime import ranks
from bench.runtime.console import console

SECONDS_BETWEEN_LOOKS = 0.5


def lock(results: Path, name: str) -> FileLock:
    return FileLock(results / "locks" / f"{name}.lock")


def taken(one: FileLock) -> bool:
    """Take the lock if nobody has it; False if another process does."""
    Path(one.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        one.acquire(blocking=False)
    except Timeout:
        return False
    return True


@contextmanager
def exclusive(results: Path, name: str) -> Iterator[None]:
    """Wait until no other job holds the lock, and hold it for the block; of a job's ranks the first one has it."""
    one = lock(results, name)
    waiting = False
    while not ranks.on_first(lambda: taken(one)):
        if not waiting:
            console.print(f"  [yellow]{name}: another process is working on it in {results}; waiting until it ends[/]")
        waiting = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        one.release()


def held(results: Path, name: str) -> bool:
    """Whether another process holds the lock at this moment."""
    one = lock(results, name)
    if not Path(one.lock_file).exists():
        return False
    free = taken(one)
    one.release()
    return not free
