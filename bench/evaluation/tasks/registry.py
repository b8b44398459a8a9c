"""The registry of abilities: what some models do beside sampling, how each is measured, and its lines in block three.

An ability is one entry of ABILITIES: whatever is done with abilities (measuring, recording, planning, listing, the
table) reads it there. CONTRIBUTING.md has the recipe. Nothing here imports torch: what is named as "module:name" is
imported when it is asked for.
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
    """One ability: who has it, how it is measured, and which lines its figures are in the table.

    protocol: a typing.Protocol, or its "module:name"; a model that has its methods has the ability.
    measure: (model, task) -> figures that JSON can hold, or its "module:name".
    section: the key of one of bench.table.columns.SECTIONS, where the lines stand.
    lines: (model's name in the table, its configuration, figures) -> (line's name, values by the columns' keys), for
    each line.
    passes: (model, task) -> images that `measure` shows to the model, for the progress bar.
    labelled: whether a probe learns from labelled training images, so that data without classes have none of it.
    """

    protocol: type | str
    measure: Callable[[Any, Any], dict[str, Any]] | str
    section: str
    lines: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Lines]
    passes: Callable[[Any, Any], int] = lambda model, task: len(task.images)
    labelled: bool = False

    def offered_by(self, model: type) -> bool:
        """Tell whether a class of models has the protocol's methods."""
        methods = [
            name
            for name, part in vars(resolved(self.protocol)).items()
            if inspect.isfunction(part) and not name.startswith("_")
        ]
        return all(hasattr(model, name) for name in methods)

    def had_by(self, model: Any) -> bool:
        """Tell whether a model has all that the protocol asks for."""
        return isinstance(model, resolved(self.protocol))

    def figures(self, model: Any, task: Any) -> dict[str, Any]:
        """Measure the ability of a model on a task's images."""
        measured: dict[str, Any] = resolved(self.measure)(model, task)
        return measured


def resolved(thing: Any) -> Any:
    """What a "module:name" stands for; anything else is itself."""
    return resolve_name(thing) if isinstance(thing, str) else thing


def reconstruction_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """One line."""
    yield name, dict(figures)


def probe_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """One line."""
    yield name, dict(figures)


def likelihood_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """A line for each bound, with its terms; the last bound has the standard error."""
    for bound, value in figures["bounds"].items():
        error = {"standard_error": figures["standard_error"]} if bound == figures["bound"] else {}
        terms = {f"{TERM}{term}": share for term, share in figures["terms"].get(bound, {}).items()}
        yield f"{name}: {bound}", {"bits_per_dim": value} | error | terms


def denoising_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """A line for each level of noise."""
    corruption = model.get("corruption", "noise").replace("_", " ")
    for level in figures["levels"]:
        yield f"{name}: {corruption} {level['level']:g}", {key: level[key] for key in level if key != "level"}


MEASURES = "bench.evaluation.tasks.measures"
ABILITIES: dict[str, AbilityEntry] = {
    "reconstruct": AbilityEntry(
        "models.protocols:Reconstructs", f"{MEASURES}:reconstruction_figures", "compression", reconstruction_lines
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
        "models.protocols:BoundsLikelihood", f"{MEASURES}:likelihood_figures", "likelihood", likelihood_lines
    ),
    "denoise": AbilityEntry(
        "models.protocols:Denoises",
        f"{MEASURES}:denoising_figures",
        "denoising",
        denoising_lines,
        lambda model, task: len(model.noise_levels) * len(task.images),
    ),
}
