"""Reference statistics as `.npz` files: mean `mu` and covariance `sigma` of features, as FID's programs exchange them.

pytorch-fid and EDM (Karras et al. 2022) write these two arrays, guided diffusion (Dhariwal & Nichol 2021) also `mu_s`
and `sigma_s` of its sFID, beside the images `arr_0`. No array says which network the features are of; files that are
written here have its name and digest as well.
"""

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.reference import Reference
from bench.runtime.files import written_aside

SUFFIX = ".npz"
KEY = "--reference"
MEAN, COVARIANCE, EXTRACTOR, DIGEST = "mu", "sigma", "extractor", "extractor_sha256"
DAMAGED = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
SYMMETRY = 1e-4  # of the largest entry, by which a covariance that was summed in float32 may differ from its transpose


@dataclass(frozen=True, eq=False)
class Statistics:
    """The Gaussian of a file. extractor, extractor_digest: "" where the file does not say. left_out: other arrays."""

    mean: Tensor  # float64 D
    covariance: Tensor  # float64 D x D
    extractor: str = ""
    extractor_digest: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The sha256 of both moments."""
        return storage.digest({MEAN: self.mean, COVARIANCE: self.covariance})


def read(path: Path) -> Statistics:
    """Read a file. EvaluationError unless it has a mean and a symmetric covariance of one dimension, all finite."""
    if not path.is_file():
        raise _error(path, "is not a file")
    if path.suffix.lower() != SUFFIX:
        pickled = "; a pickle can run code and is never read" if path.suffix.lower() in (".pkl", ".pickle") else ""
        raise _error(path, f"is no {SUFFIX}{pickled}: save the statistics with numpy.savez(FILE, mu=mu, sigma=sigma)")
    if not zipfile.is_zipfile(path):  # numpy.load would take the content for whatever it is
        raise _error(path, "cannot be read: it is no archive of arrays, or it is cut off")
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in (MEAN, COVARIANCE) if name not in file]:
                held = ", ".join(file.files) or "nothing"
                raise _error(path, f"holds no {' and no '.join(missing)}, but {held}; it needs both")
            mean, covariance = file[MEAN], file[COVARIANCE]
            about = {name: str(file[name]) for name in (EXTRACTOR, DIGEST) if name in file}
            left_out = tuple(name for name in file.files if name not in (MEAN, COVARIANCE, *about))
    except EvaluationError:
        raise
    except DAMAGED as error:
        raise _error(path, f"cannot be read: {(str(error).strip() or type(error).__name__).splitlines()[0]}") from error
    _check(path, mean, covariance)
    mu, sigma = (torch.from_numpy(array.astype(np.float64)) for array in (mean, covariance))
    return Statistics(mu, sigma, about.get(EXTRACTOR, ""), about.get(DIGEST, ""), left_out)


def write(moments: Moments, extractor: Extractor, path: Path) -> None:
    """Write moments of features of `extractor`, float64, in the layout of pytorch-fid and EDM."""
    with written_aside(path) as aside:
        np.savez(
            aside, mu=moments.mean.numpy(), sigma=moments.covariance.numpy(),
            extractor=np.array(extractor.name), extractor_sha256=np.array(extractor.digest),
        )  # fmt: skip


def reference_of(statistics: Statistics, extractor: Extractor, shape: tuple[int, ...]) -> Reference:
    """Return the reference for images of `shape` C x H x W, which has moments and no features."""
    # the number of images is unknown; a scatter of two has the covariance itself
    moments = Moments(2, statistics.mean, statistics.covariance)
    return Reference(torch.empty(0, extractor.dim), moments, statistics.digest, extractor.digest, shape)


def check_extractor_of(statistics: Statistics, extractor: Extractor, path: Path) -> None:
    """Raise EvaluationError if the statistics cannot be of this extractor's features."""
    if len(statistics.mean) != extractor.dim:
        raise _error(
            path,
            f"has {len(statistics.mean):,} dimensions, but features of {extractor.name} have {extractor.dim:,}; choose "
            "the network that the statistics are of with evaluation.extractor",
        )
    if statistics.extractor_digest not in ("", extractor.digest):
        raise _error(
            path,
            f"is of {statistics.extractor} with weights of sha {statistics.extractor_digest[:8]}, but the features are "
            f"of {extractor.name}, sha {extractor.digest[:8]}",
        )


def _check(path: Path, mean: NDArray[np.generic], covariance: NDArray[np.generic]) -> None:
    if mean.dtype.kind != "f" or covariance.dtype.kind != "f":
        raise _error(path, f"holds mu of {mean.dtype} and sigma of {covariance.dtype}; both must be float")
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise _error(path, f"holds mu of shape {mean.shape} and sigma of {covariance.shape}; they must be D and D x D")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise _error(path, "holds NaN or infinity")
    wide = np.asarray(covariance, np.float64)
    if np.abs(wide - wide.T).max(initial=0) > SYMMETRY * np.abs(wide).max(initial=0) or (wide.diagonal() < 0).any():
        raise _error(path, "holds a sigma that is no covariance: it is not symmetric, or has a negative variance")


def _error(path: Path, problem: str) -> EvaluationError:
    return EvaluationError(f"{KEY}={path} {problem}.", key=KEY, value=path)
