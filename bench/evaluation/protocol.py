"""Protocols: what a figure depends on beside the weights. Figures of two protocols never share a column."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from typing_extensions import Self

from bench.evaluation.errors import EvaluationError, unknown

Setting = bool | int | float | str | None

NEIGHBOURS = 5  # of density and coverage; precision and recall take fewer
FEWEST = 8  # images that can be evaluated: FID∞ halves them twice, and more than NEIGHBOURS are needed
GROUPS = 20  # of samples, of the jackknife behind an interval
RANDOM_NETWORK = "random-network"  # the extractor of random weights
STATISTICS = "statistics"  # the reference of figures against a file of moments
ROW_FIELDS = ("weights", "sampler", "sampler_settings", "precision")  # may differ between the rows of one table

LEAST = {  # the smallest integer that makes sense
    "samples": 2,
    "seed": 0,
    "chunk": 1,
    "subsets": 1,
    "prc_neighbours": 1,
    "dc_neighbours": 1,
    "kid_subsets": 1,
    "kid_subset_size": 0,
    "cells": 1,
    "mode_count": 0,
}
CHOICES = {
    "quantisation": ("uint8", "none"),  # none: points, which are no images
    "weights": ("ema", "raw", "none"),  # none: real images, or another program's
    "precision": ("float32", "bfloat16"),
}
MAY_BE_EMPTY = ("held_out_digest", "modes")  # where C_T, or modes, are not measured


class FingerprintedSettings:
    """Base of the protocols: a frozen dataclass that converts to JSON and back and compares by fingerprint."""

    WHAT: ClassVar[str]  # its name in messages

    def to_dict(self) -> dict[str, Any]:
        """Return every field by name, as JSON can hold it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Invert `to_dict`. Raises EvaluationError for an unknown or a missing key."""
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        for key in values:
            if key not in names:
                raise unknown(f"{cls.WHAT} key", key, names)
        try:
            return cls(**values)
        except TypeError as error:  # Python's own sentence names the missing keys
            raise EvaluationError(f"these values make no {cls.WHAT}: {error}.") from error

    def fingerprint(self) -> str:
        """Return 12 hexadecimal digits that are equal exactly when the protocols are."""
        return short_hash(self.to_dict())

    def setting(self) -> str:
        """Return the fingerprint without `ROW_FIELDS`: equal for all figures that may share a column."""
        return short_hash({name: value for name, value in self.to_dict().items() if name not in ROW_FIELDS})


@dataclass(frozen=True, kw_only=True)
class Protocol(FingerprintedSettings):
    """How one row of a table was measured; two numbers compare only where `setting()` is equal.

    Raises EvaluationError for a value out of range, of another type, or not among its choices.
    """

    WHAT = "protocol"

    data: str
    extractor: str
    extractor_digest: str  # sha256 of the extractor's weights
    reference: str = "train"  # the split that samples are compared with; STATISTICS: a file of moments
    reference_digest: str  # sha256 of that split's images, or of these moments
    held_out_digest: str = ""  # sha256 of the images that C_T compares the samples' distances with; empty: no C_T
    samples: int
    seed: int = 0  # of the samples, the reference's and KID's subsets, the jackknife's groups and C_T's cells
    chunk: int  # images a call of sample(); the samples depend on it, because each chunk has its own generator
    quantisation: str = "uint8"
    subsets: int = 8  # of the reference, each of as many images as samples, at most: precision to coverage, KID
    prc_neighbours: int = 3  # k of precision and recall
    dc_neighbours: int = NEIGHBOURS  # k of density and coverage
    kid_subsets: int = 100
    kid_subset_size: int = 0  # 0: min(1000, samples)
    cells: int = 10  # of C_T
    modes: str = ""  # how samples are assigned to the data's modes; empty: they are not
    mode_count: int = 0  # K, the number of the data's modes; 0: samples are not assigned to modes
    weights: str = "ema"
    sampler: str = "default"
    sampler_settings: Mapping[str, Setting] | tuple[tuple[str, Setting], ...] = ()  # kept as sorted pairs
    precision: str = "float32"  # that the sampler ran in; features and metrics are always float32 or better

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampler_settings", tuple(sorted(dict(self.sampler_settings).items())))
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.kid_subset_size == 0:
            object.__setattr__(self, "kid_subset_size", min(1000, self.samples))
        _check_enough(self)

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"sampler_settings": dict(self.sampler_settings)}

    def line(self) -> str:
        """Describe the protocol in a sentence that begins with `setting()`."""
        depth = {"uint8": ", 8-bit", "none": ""}[self.quantisation]
        unlearned = "; random weights, which see no objects" if self.extractor == RANDOM_NETWORK else ""
        parts = [
            f"protocol {self.setting()}: FID etc. of {self.samples:,} samples (seed {self.seed}, chunks of "
            f"{self.chunk:,}{depth}) against {self.data}/{self.reference} (sha {self.reference_digest[:8]}) "
            f"in {self.extractor} features (sha {self.extractor_digest[:8]}{unlearned})",
        ]
        if self.reference == STATISTICS:
            return parts[0]
        parts += [
            f"KID over {self.kid_subsets} subsets of {self.kid_subset_size:,}",
            f"k = {self.prc_neighbours} (precision, recall), {self.dc_neighbours} (density, coverage), over "
            f"at most {self.subsets} {'part' if self.subsets == 1 else 'disjoint parts'} of the reference",
        ]
        if self.held_out_digest:
            parts.append(f"C_T in {self.cells} cells against held-out images (sha {self.held_out_digest[:8]})")
        if self.modes:
            parts.append(f"modes: {self.modes}")
        return "; ".join(parts)


def difference(a: FingerprintedSettings, b: FingerprintedSettings) -> list[str]:
    """Return why two figures may not share a column, as 'field: value vs value'; empty if they may."""
    left, right = a.to_dict(), b.to_dict()
    return [f"{k}: {left[k]} vs {right[k]}" for k in left if k not in ROW_FIELDS and left[k] != right[k]]


def short_hash(values: dict[str, Any]) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _check(name: str, value: object) -> None:
    if name in LEAST:
        if type(value) is not int or value < LEAST[name]:
            raise EvaluationError(
                f"{name}={value!r} is not an integer of at least {LEAST[name]}.", key=name, value=value
            )
    elif name in CHOICES:
        if value not in CHOICES[name]:
            raise unknown(name, str(value), CHOICES[name])
    elif name != "sampler_settings" and (not isinstance(value, str) or not (value or name in MAY_BE_EMPTY)):
        raise EvaluationError(f"{name}={value!r} is not a name.", key=name, value=value)


def _check_enough(protocol: Protocol) -> None:
    k = max(protocol.prc_neighbours, protocol.dc_neighbours)
    if protocol.samples <= k:
        message = f"samples={protocol.samples} are too few for k={k} neighbours of each."
        raise EvaluationError(message, key="samples", value=protocol.samples)
    if not 2 <= protocol.kid_subset_size <= protocol.samples:
        size = protocol.kid_subset_size
        message = f"kid_subset_size={size} is not from 2 to samples={protocol.samples}."
        raise EvaluationError(message, key="kid_subset_size", value=size)
