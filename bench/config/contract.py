"""What a class of a user's own must be, as far as it shows without an instance; ValueError says what it lacks."""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from bench.config.schema import arguments
from bench.runtime.errors import suggestion

PUBLIC = "generative_trilemma"


def check_model(kind: Any) -> None:
    """Raise ValueError, a clause about the class, unless it is a model that can be trained and sampled."""
    import lightning as L

    from models.base import FAMILIES, GenerativeModel

    check_subclass(kind, GenerativeModel, ["networks", "sample", "training_step"], L.LightningModule)
    family = getattr(kind, "family", None)
    if not isinstance(family, str):
        raise ValueError(f"has no family; set family = one of {', '.join(FAMILIES)}, or a word of your own")
    near = suggestion(family, FAMILIES)
    if family not in FAMILIES and (near or not re.fullmatch(r"[a-z][a-z-]*", family) or family in ("data", "outside")):
        raise ValueError(f"has family={family!r}{near}; choose from {', '.join(FAMILIES)}, or a new word, a to z")
    check_arguments(kind.__init__, "constructor", ["self", "data"])
    check_arguments(kind.sample, "sample", ["self", "n", "generator"])


def check_data(kind: Any) -> None:
    """Raise ValueError, a clause about the class, unless it is a data set that can be loaded."""
    import lightning as L

    from datamodules.base import RUNNER_ARGUMENTS, ImageDataModule

    check_subclass(kind, ImageDataModule, ["load"], L.LightningDataModule)
    check_arguments(kind.__init__, "constructor", ["self"], RUNNER_ARGUMENTS)
    accepted = inspect.signature(kind.__init__).parameters
    if missing := [name for name in RUNNER_ARGUMENTS if name not in accepted]:
        raise ValueError(f"takes no {' and no '.join(missing)}; pass them on to ImageDataModule's constructor")


def check_metric(function: Any) -> None:
    """Raise ValueError, a clause about the function, unless it can be called with feature sets alone."""
    check_call(function, "the feature sets alone")


def check_extractor(function: Any) -> None:
    """Raise ValueError, a clause about the function, unless it can be called with a device alone."""
    check_call(function, "a device alone")


def check_sampler(function: Any) -> None:
    """Raise ValueError, a clause about the function, unless it can be called as models.diffusion.own_samplers does."""
    check_call(function, "(denoiser, process, x, times, generator)", 5)


def check_call(function: Any, words: str, count: int = 1) -> None:
    """Raise ValueError unless a function can be called with so many arguments, which the words describe."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # of a compiled function, which states none
        return
    try:
        signature.bind(*[None] * count)
    except TypeError:
        raise ValueError(f"takes {signature}; it is called with {words}") from None


def check_subclass(kind: Any, base: type, methods: Iterable[str], framework: type) -> None:
    """Raise ValueError unless a class derives from `base` and has methods beside those of `framework`."""
    if not issubclass(kind, base):
        raise ValueError(f"is no {base.__name__}; derive it from {PUBLIC}.{base.__name__}")
    lacking = [
        name
        for name in methods
        if name in getattr(kind, "__abstractmethods__", ()) or getattr(kind, name) is getattr(framework, name, None)
    ]
    if lacking := list(dict.fromkeys([*lacking, *sorted(getattr(kind, "__abstractmethods__", ()))])):
        raise ValueError(f"has no {' and no '.join(lacking)}")


def check_arguments(
    function: Callable[..., Any], label: str, positional: Iterable[str], supplied: Iterable[str] = ()
) -> None:
    """Raise ValueError unless the keyword-only parameters of a function are a schema, and it has few others.

    positional: the names of its other parameters. supplied: parameters that no user sets.
    """
    parameters = inspect.signature(function).parameters.values()
    free = [parameter for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    names, own = [parameter.name for parameter in free], [*positional]
    if any(parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) for parameter in free):
        raise ValueError(f"has a {label} with *args or **kwargs; write each setting out, after *")
    if extra := names[len(own) :]:
        raise ValueError(f"has a {label} whose {extra[0]} is not keyword-only; write * before it")
    if len(names) < len(own):
        raise ValueError(f"has a {label} without {own[len(names)]}; its parameters are ({', '.join(own)}, *, ...)")
    bare = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.name not in supplied
        and parameter.annotation is parameter.empty
    ]
    if bare:
        raise ValueError(f"has a {label} whose {bare[0]} has no annotation; write its type, as in {bare[0]}: int = 1")
    try:
        arguments(function, supplied)
    except Exception as error:  # of names that annotations do not find, and of types that pydantic does not know
        raise ValueError(f"has a {label} whose annotations are no schema: {' '.join(str(error).split())}") from None
