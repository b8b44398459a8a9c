"""Processes that are forks of one script, so that torch is imported once for all of them."""

import os
import signal
import traceback
from collections.abc import Callable, Sequence


def forked(work: Callable[[], object]) -> int:
    """Start `work` in a fork of this process and return its id; an exception ends it with status 1."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def all_succeeded(pids: Sequence[int]) -> bool:
    """Wait for all of them; where one fails, end the others, which may wait for it."""
    left, fine = set(pids), True
    while left:
        pid, status = os.wait()
        left.discard(pid)
        if status and fine:
            fine = False
            for other in left:
                os.kill(other, signal.SIGKILL)
    return fine
