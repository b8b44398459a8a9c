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
def python_names(**parameters: str) -> Iterator[None]:
    """Let the messages of InputError name settings as Python's keyword arguments do.

    parameters: the keyword arguments that are not called as their settings, by the settings' names in Python.
    """

    def named(text: str) -> str:
        keys = KEY.sub(lambda match: match[0].replace(".", "__"), text)
        return re.sub(r"\w+", lambda match: parameters.get(match[0], match[0]), keys)

    try:
        yield
    except InputError as error:
        error.args, error.key = (named(str(error)),), named(error.key)
        raise


@contextmanager
def input_errors(**parameters: str) -> Iterator[None]:
    """Do as `python_names`, and raise the mistakes in data sets as InputError, which their package does not know."""
    from datamodules.base import DataError

    with python_names(**parameters):
        try:
            yield
        except DataError as error:
            raise InputError(str(error)) from error
