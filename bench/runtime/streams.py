"""What the terminal's streams do with characters that they lack, and with a reader that has gone."""

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
    """What stands for characters that an encoding lacks: letters for marks, ? for what has none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lacking), error.end


def lenient(*streams: TextIO) -> None:
    """Let streams write what they can instead of ending in UnicodeEncodeError."""
    codecs.register_error("bench.plain", in_plain)
    for stream in streams:
        reconfigure: Any = getattr(stream, "reconfigure", None)  # a notebook's stream has none, and takes all
        if reconfigure:
            reconfigure(errors="bench.plain")


def closed_pipe(end: BaseException) -> bool:
    """Whether a command ended because nobody reads its output any more; then nothing more is written there.

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
