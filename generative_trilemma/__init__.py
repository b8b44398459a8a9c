"""The public names: `evaluate`, `time_sampling`, `train`, `records`, `table`, and what your own models are made of.

Import from here and not from `models` and `datamodules`, which may be folders of your project, too. A name is imported
when it is first used, so `records` and `table` import no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import bench  # noqa: F401 - first: it makes the imports below find the suite's packages, whatever lies in the working folder

if TYPE_CHECKING:
    from bench.evaluation.features.extractor import Extractor
    from bench.evaluation.metrics.feature_sets import FeatureSets
    from bench.evaluation.metrics.intervals import Estimate
    from bench.evaluation.metrics.own import metric
    from bench.results.records import Record
    from bench.runtime.errors import InputError
    from datamodules.base import DataError, ImageDataModule, Split
    from generative_trilemma.evaluation import evaluate
    from generative_trilemma.measurement import MeasuredFigure, Measurement
    from generative_trilemma.results import ResultsTable, records, table
    from generative_trilemma.timing import time_sampling
    from generative_trilemma.training import train
    from models.base import FAMILIES, DataSpec, GenerativeModel, ImageShape, inference, noise, sampling
    from models.protocols import Bound
    from models.ranks import gather, own_share

_MODULES = {  # name -> the module that has it; none of them is called as one of the names, which it would replace
    "Extractor": "bench.evaluation.features.extractor",
    "FeatureSets": "bench.evaluation.metrics.feature_sets",
    "Estimate": "bench.evaluation.metrics.intervals",
    "metric": "bench.evaluation.metrics.own",
    "Record": "bench.results.records",
    "InputError": "bench.runtime.errors",
    **dict.fromkeys(("DataError", "ImageDataModule", "Split"), "datamodules.base"),
    "evaluate": "generative_trilemma.evaluation",
    **dict.fromkeys(("MeasuredFigure", "Measurement"), "generative_trilemma.measurement"),
    **dict.fromkeys(("ResultsTable", "records", "table"), "generative_trilemma.results"),
    "time_sampling": "generative_trilemma.timing",
    "train": "generative_trilemma.training",
    **dict.fromkeys(
        ("FAMILIES", "DataSpec", "GenerativeModel", "ImageShape", "inference", "noise", "sampling"), "models.base"
    ),
    "Bound": "models.protocols",
    **dict.fromkeys(("gather", "own_share"), "models.ranks"),
}

__all__ = [
    "FAMILIES",
    "Bound",
    "DataError",
    "DataSpec",
    "Estimate",
    "Extractor",
    "FeatureSets",
    "GenerativeModel",
    "ImageDataModule",
    "ImageShape",
    "InputError",
    "MeasuredFigure",
    "Measurement",
    "Record",
    "ResultsTable",
    "Split",
    "evaluate",
    "gather",
    "inference",
    "metric",
    "noise",
    "own_share",
    "records",
    "sampling",
    "table",
    "time_sampling",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name, once."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
