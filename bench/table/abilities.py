"""The registry of abilities: what some models do beside sampling, how each is measured, and its lines in block three.

An ability is one entry of ABILITIES: whatever is done with abilities (measuring, recording, planning, listing, the
table) reads it there. CONTRIBUTING.md has the recipe.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.evaluation.features.extractor import Progress
from bench.evaluation.tasks.image_tasks import bits, denoising, reconstruction
from bench.evaluation.tasks.probe import encoded_features, probe_accuracies
from bench.table.columns import SECTIONS
from models.protocols import BoundsLikelihood, Denoises, Encodes, Reconstructs

TERM = "term: "  # keys of a bound's terms among its figures


@dataclass(frozen=True, eq=False)
class Task:
    """The images that every model is asked about, and how."""

    images: Tensor  # held out
    labels: Tensor
    train_images: Tensor
    train_labels: Tensor
    seed: int
    chunk: int
    device: torch.device
    progress: Progress | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"chunk": self.chunk, "device": self.device, "progress": self.progress}


Values = dict[str, float]
Lines = Iterable[tuple[str, Values]]


def held_out_images(model: Any, task: Task) -> int:
    return len(task.images)


@dataclass(frozen=True)
class AbilityEntry:
    """One ability: who has it, how it is measured, and which lines its figures are in the table.

    protocol: of models.protocols; a model that has its methods has the ability.
    measure: (model, task) -> figures that JSON can hold.
    section: the key of one of bench.table.columns.SECTIONS, where the lines stand.
    lines: (model's name in the table, its configuration, figures) -> (line's name, values by the columns' keys, in the
    columns' units), for each line.
    passes: (model, task) -> images that `measure` shows to the model, for the progress bar.
    labelled: whether a probe learns from labelled training images, so that data without classes have none of it.
    """

    protocol: type
    measure: Callable[[Any, Task], dict[str, Any]]
    section: str
    lines: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Lines]
    passes: Callable[[Any, Task], int] = held_out_images
    labelled: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError where block three has no such section, so that nothing is measured and never shown."""
        known = [section.key for section in SECTIONS]
        if self.section not in known:
            raise ValueError(
                f"section={self.section}: none of bench.table.columns.SECTIONS, which are {', '.join(known)}"
            )

    def offered_by(self, model: type) -> bool:
        """Whether a class of models has the methods; an instance answers `isinstance(model, entry.protocol)`."""
        methods = [
            name for name, part in vars(self.protocol).items() if inspect.isfunction(part) and not name.startswith("_")
        ]
        return all(hasattr(model, name) for name in methods)


def reconstruction_figures(model: Reconstructs, task: Task) -> dict[str, Any]:
    return reconstruction(model.reconstruct, task.images, **task.settings)


def reconstruction_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    yield name, {**figures, "mse": figures["mse"] * 1000}


def probe_figures(model: Encodes, task: Task) -> dict[str, Any]:
    train, test = (
        encoded_features(model.encode, images, **task.settings) for images in (task.train_images, task.images)
    )
    return probe_accuracies(train, task.train_labels, test, task.labels)


def probe_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    yield name, dict(figures)


def probe_passes(model: Any, task: Task) -> int:
    return len(task.train_images) + len(task.images)


def likelihood_figures(model: BoundsLikelihood, task: Task) -> dict[str, Any]:
    return bits(model.bits_per_dim, task.images, seed=task.seed, **task.settings)


def likelihood_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """A line for each bound, with its terms; the last bound has the standard error."""
    for bound, value in figures["bounds"].items():
        error = {"standard_error": figures["standard_error"]} if bound == figures["bound"] else {}
        terms = {f"{TERM}{term}": share for term, share in figures["terms"].get(bound, {}).items()}
        yield f"{name}: {bound}", {"bits_per_dim": value} | error | terms


def denoising_figures(model: Denoises, task: Task) -> dict[str, Any]:
    levels = denoising(model.corrupt, model.denoise, model.noise_levels, task.images, seed=task.seed, **task.settings)
    return {"levels": levels}


def denoising_lines(name: str, model: Mapping[str, Any], figures: Mapping[str, Any]) -> Lines:
    """A line for each level of noise."""
    corruption = model.get("corruption", "noise").replace("_", " ")
    for level in figures["levels"]:
        yield f"{name}: {corruption} {level['level']:g}", {key: level[key] for key in level if key != "level"}


def denoising_passes(model: Denoises, task: Task) -> int:
    return len(model.noise_levels) * len(task.images)


ABILITIES: dict[str, AbilityEntry] = {
    "reconstruct": AbilityEntry(Reconstructs, reconstruction_figures, "compression", reconstruction_lines),
    "encode": AbilityEntry(Encodes, probe_figures, "compression", probe_lines, probe_passes, labelled=True),
    "bits_per_dim": AbilityEntry(BoundsLikelihood, likelihood_figures, "likelihood", likelihood_lines),
    "denoise": AbilityEntry(Denoises, denoising_figures, "denoising", denoising_lines, denoising_passes),
}
