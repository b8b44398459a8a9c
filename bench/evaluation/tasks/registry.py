"""The registry of tasks beside sampling: which models have one, how it is measured, and its lines in the table.

A task is one entry of ABILITIES, under the key that records hold. Measuring, recording, planning, listing and the
table read it there. CONTRIBUTING.md has the recipe. Nothing here imports torch: a "module:name" is imported when it is
needed.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

TERM = "term: "  # keys of a bound's terms among its figures

Lines = Iterable[tuple[str, dict[str, float]]]


@dataclass(frozen=True)
class AbilityEntry:
    """One task: which models have it, how it is measured, and its lines in the table.

    protocol: a typing.Protocol, or its "module:name"; a model with its methods has the task.
    measure: (model, task) -> figures that JSON can hold, or its "module:name".
    section: the key of the lines' section in bench.table.columns.SECTIONS.
    section_of: figures -> the key of another section, or None, where not all figures of the task compare.
    lines: (model's name in the table, its configuration, figures) -> (line's name, values by the columns' keys), for
    each line.
    passes: (model, task) -> images that `measure` passes through the model, for the progress bar.
    labelled: whether a probe learns from labelled training images, so that data without classes have no such task.
    unconditional: whether models of labels or clusters have no such task, since it tells them none.
    """

    protocol: type | str
    measure: Callable[[Any, Any], dict[str, Any]] | str
    section: str
    lines: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Lines]
    passes: Callable[[Any, Any], int] = lambda model, task: len(task.images)
    labelled: bool = False
    unconditional: bool = False
    section_of: Callable[[Mapping[str, Any]], str | None] = lambda figures: None

    def offered_by(self, model: type) -> bool:
        """Return whether a class of models has the protocol's methods."""
        methods = [
            name
            for name, part in vars(resolve(self.protocol)).items()
            if inspect.isfunction(part) and not name.startswith("_")
        ]
        return all(hasattr(model, name) for name in methods)

    def had_by(self, model: Any) -> bool:
        """Return whether a model satisfies the protocol and, where the task tells no labels or clusters, needs none."""
        return isinstance(model, resolve(self.protocol)) and not (self.unconditional and model.groups)

    def figures(self, model: Any, task: Any) -> dict[str, Any]:
        """Measure a model on the task's images."""
        figures: dict[str, Any] = resolve(self.measure)(model, task)
        return figures


def resolve(thing: Any) -> Any:
    """Import a "module:name"; return anything else unchanged."""
    return resolve_name(thing) if isinstance(thing, str) else thing


def reconstruction_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """Yield one line."""
    yield name, dict(figures)


def probe_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """Yield one line."""
    yield name, dict(figures)


def likelihood_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """Yield a line for each bound, with its terms; the last bound has the standard error."""
    for bound, value in figures["bounds"].items():
        error = {"standard_error": figures["standard_error"]} if bound == figures["bound"] else {}
        terms = {f"{TERM}{term}": share for term, share in figures["terms"].get(bound, {}).items()}
        yield f"{name}: {bound}", {"bits_per_dim": value} | error | terms


def likelihood_section(figures: Mapping[str, Any]) -> str | None:
    """Return the section of bounds of binary images, which do not compare with those of 8-bit ones."""
    return "binary_likelihood" if figures.get("levels", 256) == 2 else None


def denoising_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """Yield a line for each level of noise."""
    corruption = model.get("corruption", "noise").replace("_", " ")
    for level in figures["levels"]:
        yield f"{name}: {corruption} {level['level']:g}", {key: level[key] for key in level if key != "level"}


MEASURES = "bench.evaluation.tasks.measures"
ABILITIES: dict[str, AbilityEntry] = {
    "reconstruct": AbilityEntry(
        "models.protocols:Reconstructs",
        f"{MEASURES}:reconstruction_figures",
        "compression",
        reconstruction_lines,
        unconditional=True,
    ),
    "encode": AbilityEntry(
        "models.protocols:Encodes",
        f"{MEASURES}:probe_figures",
        "compression",
        probe_lines,
        lambda model, task: len(task.train_images) + len(task.images),
        labelled=True,
    ),
    "bits_per_dim": AbilityEntry(
        "models.protocols:BoundsLikelihood",
        f"{MEASURES}:likelihood_figures",
        "likelihood",
        likelihood_lines,
        unconditional=True,  # bits of images given their labels compare with no other row's
        section_of=likelihood_section,
    ),
    "denoise": AbilityEntry(
        "models.protocols:Denoises",
        f"{MEASURES}:denoising_figures",
        "denoising",
        denoising_lines,
        lambda model, task: len(model.noise_levels) * len(task.images),
    ),
}
