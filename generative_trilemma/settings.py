"""Settings as keyword arguments of Python: `train__images=640` is `train.images=640` of a command."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bench.runtime.errors import InputError

KEY = re.compile(r"(?<![\w/.])(?:data|evaluation|model|samplers|train|trainer|wandb)(?:\.\w+)+(?==|$| \(|: )")
Setting = str | int | float | bool | None | os.PathLike[str] | Sequence[Any] | Mapping[str, Any]


def words(settings: Mapping[str, Setting]) -> list[str]:
    """Return settings as the words `key=value` that a command takes; two underscores in a key stand for a dot."""
    return [f"{key.replace('__', '.')}={text(value)}" for key, value in settings.items()]


def text(value: Setting) -> str:
    """Return a value as it is typed: null, true, a path, a list or section in brackets, else `str(value)`."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return json.dumps(value, default=str) if isinstance(value, (Mapping, list, tuple)) else str(value)


@contextmanager
def input_errors(**parameters: str) -> Iterator[None]:
    """Raise a user's mistake as InputError whose message names settings as Python's keyword arguments.

    parameters: the keyword arguments that are not called as their settings, by the settings' names in Python. The
    mistakes in data sets, whose package knows none of the suite's errors, become InputError as well.
    """
    from datamodules.base import DataError

    def named(text: str) -> str:
        keys = KEY.sub(lambda match: match[0].replace(".", "__"), text)
        return re.sub(r"\w+", lambda match: parameters.get(match[0], match[0]), keys)

    try:
        yield
    except DataError as error:
        raise InputError(named(str(error))) from error
    except InputError as error:
        error.args, error.key = (named(str(error)),), named(error.key)
        raise
