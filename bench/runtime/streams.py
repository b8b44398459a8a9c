"""Write to terminals that lack characters, and to pipes whose reader has closed them."""

import codecs
import os
import sys
from typing import Any, TextIO

ASCII = {
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


def replace(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks: those of ASCII by their entry, others by a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(ASCII.get(character, "?") for character in characters), error.end


def replace_unencodable(*streams: TextIO) -> None:
    """Make streams replace what they cannot encode instead of raising UnicodeEncodeError."""
    codecs.register_error("bench.ascii", replace)
    for stream in streams:
        reconfigure: Any = getattr(stream, "reconfigure", None)  # a notebook's stream has none and needs none
        if reconfigure:
            reconfigure(errors="bench.ascii")


def is_closed_pipe(end: BaseException) -> bool:
    """Return whether a command ended because its output is no longer read; if so, discard further output.

    Rich turns a BrokenPipeError into SystemExit.
    """
    if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):
        return False
    null_device = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(null_device, stream.fileno())
    os.close(null_device)
    return True
