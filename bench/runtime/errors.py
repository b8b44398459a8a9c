"""Errors about an input: one sentence for the user, and the key, the value and the choices as attributes."""

import difflib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from typing_extensions import Self


class InputError(ValueError):
    """An input that cannot be used; the message is one sentence, fit to be shown to the user.

    key, value: of the setting that is wrong, if it is a single one. choices: the values that it may have; of an unknown
    key, the known ones.
    """

    def __init__(self, message: str, *, key: str = "", value: object = None, choices: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.key, self.value, self.choices = key, value, tuple(choices)

    def prefixed(self, place: str) -> Self:
        """Return the same error with the place of the input before the message."""
        return type(self)(f"{place}: {self}", key=self.key, value=self.value, choices=self.choices)


def suggestion(name: str, choices: Iterable[str]) -> str:
    """Return the most similar choice as an addition to a message, "" if none is similar."""
    close = difflib.get_close_matches(name, list(choices), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def cause(error: BaseException, own: Callable[[Path], bool] | None = None) -> str:
    """Return an exception's type and message in one line, and where it was raised.

    own: whether a file may be named as that place; None: any.
    """
    message, frames = str(error), [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        message, frames = error.msg, [(error.filename or "", error.lineno)]
    files = [(file, line) for file, line in frames if (own(Path(file)) if own else not file.startswith("<"))]
    where = f" ({files[-1][0]}, line {files[-1][1]})" if files else ""
    return f"{type(error).__name__}{': ' * bool(message)}{' '.join(message.split())}{where}"
