"""Errors of the evaluation: one sentence that names the key, the value and the choices."""

import difflib
from collections.abc import Iterable


class EvaluationError(ValueError):
    """An input that would give a wrong number or none; the message is one sentence, fit to be shown to the user."""


def unknown(key: str, value: str, names: Iterable[str]) -> EvaluationError:
    """Return the error for a value that is not among `names`: it lists them, and suggests a similar one."""
    choices = sorted(names)
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return EvaluationError(f"{key}={value} is unknown{hint}; the choices are {', '.join(choices)}.")
