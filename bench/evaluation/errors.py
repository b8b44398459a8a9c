"""How the evaluation refuses: one sentence that names the key, the value and the choices."""

import difflib
from collections.abc import Iterable


class EvaluationError(ValueError):
    """An input that would give a wrong number or none; the message is one sentence, fit to be shown to the user."""


def unknown(key: str, value: str, known: Iterable[str]) -> EvaluationError:
    """The refusal of a name that is not among `known`: it lists them, and the nearest if one is near."""
    choices = sorted(known)
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return EvaluationError(f"{key}={value} is unknown{hint}; the choices are {', '.join(choices)}.")
