"""Extractors of other packages: entry points of the group GROUP, each a function from a device to an `Extractor`."""

from importlib.metadata import EntryPoint, entry_points

import torch

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor

GROUP = "generative_trilemma.extractors"


def installed_extractors() -> dict[str, EntryPoint]:
    """Return the entry points by name, in order; none is imported."""
    return {
        entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))
    }


def load_installed(name: str, device: torch.device | str) -> Extractor:
    """Import and call an entry; EvaluationError if that fails, or gives no extractor of that name."""
    entry = installed_extractors()[name]
    try:
        extractor = entry.load()(device)
    except Exception as error:
        message = f"extractor={name}: {entry.value} cannot be loaded: {type(error).__name__}: {error}"
        raise EvaluationError(" ".join(message.split()), key="extractor", value=name) from error
    if not isinstance(extractor, Extractor) or extractor.name != name:
        message = f"extractor={name}: {entry.value} returns no generative_trilemma.Extractor with name={name!r}"
        raise EvaluationError(message, key="extractor", value=name)
    return extractor
