"""The input of the metrics: features of samples and of real images, and further measurements of both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics.prdc import Manifolds, manifolds
from bench.evaluation.protocol import Protocol


@dataclass(frozen=True, eq=False)
class Modes:
    """The modes of a data set, and a function that assigns samples to them."""

    name: str  # in the protocol
    assign: Callable[[Tensor, Tensor | None], Tensor]  # features and logits -> int64 N, 0 .. K - 1, or -1 for none
    probabilities: Tensor  # float64 K, of the data; sums to 1


@dataclass(frozen=True, eq=False)
class ModeCount:
    """Which mode of the data each sample shows."""

    assigned: Tensor  # int64 N, 0 .. K - 1, or -1 for a sample of no mode
    probabilities: Tensor  # float64 K, of the data; sums to 1


@dataclass(frozen=True, eq=False)
class Nearest:
    """Distances to the nearest image of the whole training split, in feature space, and the cell that it lies in.

    Cells are a partition of feature space into 0 .. K - 1, fitted to the training split.
    """

    generated: Tensor  # float32 N, of the samples
    generated_cells: Tensor  # int64 N, of the samples
    held_out: Tensor  # float32 M, of held-out images
    held_out_cells: Tensor  # int64 M


@dataclass(frozen=True, eq=False)
class Copies:
    """Distances and equalities of samples and of held-out images to training images, by pixels."""

    nearest: Nearest  # the gaps of `alignment` for distances
    exact: Tensor  # bool N, of the samples: equal to a training image byte for byte
    held_out_exact: int  # of held-out images, those that are
    held_out_total: int


@dataclass(frozen=True, eq=False)
class SecondSpace:
    """Features of the samples in another space, and the reference split's moments there."""

    generated: Tensor  # float32 N x D
    reference_moments: Moments


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples of given labels, the judge's opinion of them, and the real images of every label."""

    classes: int
    labels: Tensor  # int64 N, that the model was given
    judged: Tensor  # int64 N, that the judge sees
    counted: Tensor  # bool N: not an image that taught the judge, as a real one may be
    images: Tensor  # uint8, labelled images that teach a classifier: the samples, or as many real images
    image_labels: Tensor  # int64
    test_images: Tensor  # uint8, held-out images that this classifier is tested on
    test_labels: Tensor  # int64
    reference: Tensor  # float32 R x D, features of the training images
    reference_labels: Tensor  # int64 R


@dataclass(frozen=True, eq=False)
class Words:
    """What captions say of samples, and what is seen of it: W words, each of which may be said or not."""

    said: Tensor  # int64 N x W, the value that a word names; -1: it is not said
    seen: Tensor  # int64 N x W, the value that the sample has
    digits: Tensor  # bool W: names a digit; otherwise an attribute
    new_combination: Tensor  # bool N: of digits that no caption of the training describes together
    new_order: Tensor  # bool N: in an order that no caption of the training has


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """Features of samples and of reference images, float32 N x D on the CPU, and further measurements of them."""

    generated: Tensor
    reference: Tensor  # R N x D: R disjoint random subsets of the split, one after the other; empty: moments only
    reference_moments: Moments  # of the whole reference split
    protocol: Protocol
    groups: Tensor  # int64 N, the jackknife's group of each sample
    logits: Tensor | None = None  # float32 N x classes, of the samples, where a classifier fits the data
    modes: ModeCount | None = None  # where the data has modes to which samples can be assigned
    nearest: Nearest | None = None  # where there are held-out images to compare with
    copies: Copies | None = None  # where there are pixels, and held-out images to compare with
    held_out: Tensor | None = None  # float32 M x D, features of held-out images
    random: SecondSpace | None = None  # of a randomly initialised network, where there are 8-bit images
    labelled: Labelled | None = None  # where the samples' labels were given
    words: Words | None = None  # where the samples' captions were given

    @property
    def subsets(self) -> int:
        """The number of reference subsets, each of as many images as there are samples."""
        return max(1, len(self.reference) // len(self.generated))

    @cached_property
    def manifolds(self) -> Manifolds:
        """Precision, recall, density and coverage, and the clipped ones' counts, which share their distances."""
        return manifolds(
            self.generated,
            self.reference,
            prc_neighbours=self.protocol.prc_neighbours,
            dc_neighbours=self.protocol.dc_neighbours,
            subsets=self.subsets,
            seed=self.protocol.seed,
            groups=self.groups,
        )
