"""The public names for models and data sets of your own: `from generative_trilemma import GenerativeModel, sampling`.

Import from here and not from `models` and `datamodules`, which may be folders of your project, too.
"""

import bench  # noqa: F401 - first: it makes the imports below find the suite's packages, whatever lies in the working folder
from bench.evaluation.features.extractor import Extractor
from datamodules.base import DataError, ImageDataModule, Split
from models.base import FAMILIES, DataSpec, GenerativeModel, ImageShape, inference, noise, sampling
from models.protocols import Bound
from models.ranks import gather, own_share

__all__ = [
    "FAMILIES",
    "Bound",
    "DataError",
    "DataSpec",
    "Extractor",
    "GenerativeModel",
    "ImageDataModule",
    "ImageShape",
    "Split",
    "gather",
    "inference",
    "noise",
    "own_share",
    "sampling",
]
