"""Errors of the evaluation: one sentence that names the key, the value and the choices."""

from collections.abc import Iterable

from bench.runtime.errors import InputError, suggestion


class EvaluationError(InputError):
    """An input that would give a wrong number or none."""


def unknown(key: str, value: str, names: Iterable[str]) -> EvaluationError:
    """Return the error for a value that is not among `names`: it lists them, and suggests a similar one."""
    choices = sorted(names)
    message = f"{key}={value} is unknown{suggestion(value, choices)}; the choices are {', '.join(choices)}."
    return EvaluationError(message, key=key, value=value, choices=choices)
