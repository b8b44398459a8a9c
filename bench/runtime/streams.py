"""Handle terminals that lack characters, and readers that close the pipe."""

import codecs
import os
import sys
from typing import Any, TextIO

PLAIN = {
    "✓": "v",
    "×": "x",
    "≈": "~",
    "–": "-",
    "±": "+-",
    "†": "*",
    "∞": "inf",
    "↓": "v",
    "↑": "^",
    "…": "...",
    "ε": "e",
}


def in_plain(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks: marks by letters, others by a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lacking), error.end


def lenient(*streams: TextIO) -> None:
    """Make streams replace what they cannot encode instead of raising UnicodeEncodeError."""
    codecs.register_error("bench.plain", in_plain)
    for stream in streams:
        reconfigure: Any = getattr(stream, "reconfigure", None)  # a notebook's stream has none and needs none
        if reconfigure:
            reconfigure(errors="bench.plain")


def closed_pipe(end: BaseException) -> bool:
    """Return whether a command ended because its output is no longer read; if so, discard further output.

    Rich turns a BrokenPipeError into SystemExit.
    """
    if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return True
