"""Protocols of the tasks: what a task's figures depend on beside the weights."""

from dataclasses import dataclass, fields

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.protocol import CHOICES, FingerprintedSettings

LEAST = {"images": 1, "train_images": 0, "seed": 0, "chunk": 1}  # the smallest integer that makes sense
ALLOWED = {"weights": CHOICES["weights"], "precision": ("float32",)}


@dataclass(frozen=True, kw_only=True)
class AbilityProtocol(FingerprintedSettings):
    """How one task was measured; two figures compare only where `setting()` is equal.

    Raises EvaluationError for a value out of range, of another type, or not among its choices.
    """

    WHAT = "ability protocol"

    ability: str
    data: str
    test_digest: str  # sha256 of the held-out images
    train_digest: str = ""  # sha256 of the images that a probe learns from; empty where none does
    images: int  # held-out images used
    train_images: int = 0  # images that a probe learns from; 0 where none does
    seed: int = 0  # of the choice of images, of the noise and of a bound's draws
    chunk: int  # images a call; noise and draws depend on it, because each chunk has its own generator
    weights: str = "ema"  # "raw" without the average, "none" without a model
    precision: str = "float32"  # that the model ran in

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "train_digest":
                _check(field.name, getattr(self, field.name))
        if not isinstance(self.train_digest, str) or bool(self.train_digest) != (self.train_images > 0):
            need = "a digest" if self.train_images else "empty"
            raise EvaluationError(
                f"train_digest={self.train_digest!r} is not {need}, as train_images={self.train_images} needs.",
                key="train_digest",
                value=self.train_digest,
            )

    def line(self) -> str:
        """Describe the task's images for the table's caption; two tasks may have the same description."""
        learned = f", probes taught by {self.train_images:,} of {self.data}/train (sha {self.train_digest[:8]})"
        return (
            f"{self.images:,} images of {self.data}/test (sha {self.test_digest[:8]}), seed {self.seed}, chunks of "
            f"{self.chunk:,}, {self.precision}{learned if self.train_images else ''}"
        )


def _check(name: str, value: object) -> None:
    if name in LEAST:
        if type(value) is not int or value < LEAST[name]:
            raise EvaluationError(
                f"{name}={value!r} is not an integer of at least {LEAST[name]}.", key=name, value=value
            )
    elif name in ALLOWED:
        if value not in ALLOWED[name]:
            raise unknown(name, str(value), ALLOWED[name])
    elif not isinstance(value, str) or not value:
        raise EvaluationError(f"{name}={value!r} is not a name.", key=name, value=value)
