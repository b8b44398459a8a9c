"""A clean end on Ctrl-C and SIGTERM, wherever a command is: an exception that unwinds, and the exit status it means."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SAME = 0.5  # seconds within which a signal that repeats is one: timeout(1) sends it to the process and to its group


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which clusters end a job: whatever ends on Ctrl-C ends on it in the same way."""


def status(stop: BaseException | None) -> int:
    """The exit status that a stop means, 128 and the signal's number; 1 for whatever is no stop.

    An exception with a `status` of its own, as a stopped training raises, has that one.
    """
    if isinstance(stop, KeyboardInterrupt):
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    return int(getattr(stop, "status", 1))


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def raised() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt and Terminated in the block, and act as before after it.

    A second one raises again, which breaks off what the clean end may be waiting for. Signals that the process ignores
    stay ignored, as a shell wants it of what it runs in the background. Python handles signals in the main thread
    only: in another one nothing is changed.
    """
    if not in_main_thread():
        yield
        return
    last = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SAME:
            return
        last = now
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: set by what is not Python
                signal.signal(number, handler)
