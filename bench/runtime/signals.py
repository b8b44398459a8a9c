"""End a command cleanly on Ctrl-C and SIGTERM: an exception unwinds it, and its exit status names the signal."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS_OF_ONE_SIGNAL = 0.5  # repetitions count once: timeout(1) signals the process and then its group


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which clusters end a job; code that ends on Ctrl-C ends on this subclass, too."""


def status(stop: BaseException | None) -> int:
    """Return the exit status of a stop: 128 plus the signal's number, 1 for any other exception.

    An exception with a `status` attribute, as a stopped training raises, has that one.
    """
    if isinstance(stop, KeyboardInterrupt):
        return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)
    return int(getattr(stop, "status", 1))


def in_main_thread() -> bool:
    """Return whether the caller runs in the main thread."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt and Terminated in the block; restore the handlers after it.

    A second signal raises again, which interrupts a clean end that hangs. Ignored signals stay ignored, as a shell
    requires of background processes. Python handles signals in the main thread only; in any other thread nothing is
    changed.
    """
    if not in_main_thread():
        yield
        return
    last = float("-inf")

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < SECONDS_OF_ONE_SIGNAL:
            return
        last = now
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in handlers.items():
            if handler not in (signal.SIG_IGN, None):
                signal.signal(number, stop)
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:  # None: not set by Python
                signal.signal(number, handler)
