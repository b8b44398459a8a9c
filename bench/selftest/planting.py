"""Plant the report card's truths: real images with missing modes, crossed with defects, measured by the candidates.

A draw holds a pool of real images and, for each state of coverage, the indices of n of them. A defect changes the pool,
or replaces a share of the n.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.features.classifier import shifted
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.keys import key, seeded
from bench.evaluation.metrics.memorisation import cells
from bench.evaluation.metrics.modes import by_classifier
from bench.evaluation.planted import blend, blur, pixel_noise, white_noise
from bench.selftest.candidates import CANDIDATES
from bench.selftest.comparison import Comparison, Truth, shares

BINS = 100  # of k-means
REFERENCE = 10_000  # images of which bins, moments and class shares are computed
FULL, INTACT = "all modes", "intact"
SHIFT = 1  # pixels along both axes, of repeated images

State = tuple[str, str]  # of coverage and of quality


@dataclass(frozen=True)
class Ladder:
    """States in order, worst coverage or best quality first; positions are 0 .. 1, the rungs evenly spaced."""

    name: str
    rungs: tuple[str, ...]

    @property
    def positions(self) -> np.ndarray:
        return np.linspace(0, 1, len(self.rungs))


@dataclass(frozen=True)
class Plan:
    """The faults planted in a data set: shares of its modes, weights of half of them, numbers of distinct images."""

    n: int
    mode_shares: tuple[float, ...]  # of the modes that remain
    weights: tuple[float, ...]  # of the other half of the modes; 1 is that of the first half
    distinct: tuple[int, ...]
    blurs: tuple[float, ...]  # pixels
    noises: tuple[float, ...]  # share of white
    replaced: tuple[float, ...]  # shares of the images
    kinds: tuple[str, ...]  # of replacements

    @property
    def coverage(self) -> tuple[Ladder, ...]:
        modes = Ladder("modes kept", (*(f"{share:.0%} of modes" for share in self.mode_shares), FULL))
        half = (f"{0.5:.0%} of modes", *(f"half of modes × {weight:g}" for weight in self.weights), FULL)
        few = (*(f"{count:,} images" for count in self.distinct), f"{self.n:,} images")
        return (
            modes,
            *([Ladder("modes at less weight", half)] if self.weights else []),
            *([Ladder("few images, shifted", few)] if self.distinct else []),
        )

    @property
    def quality(self) -> tuple[Ladder, ...]:
        return (
            *([Ladder("blur", (INTACT, *(f"blur {sigma:g}" for sigma in self.blurs)))] if self.blurs else []),
            *([Ladder("pixel noise", (INTACT, *(f"pixel noise {s:g}" for s in self.noises)))] if self.noises else []),
            *(Ladder(kind, (INTACT, *(f"{share:.0%} {kind}" for share in self.replaced))) for kind in self.kinds),
        )

    @property
    def coverages(self) -> list[str]:
        return list(dict.fromkeys(rung for ladder in self.coverage for rung in ladder.rungs))

    @property
    def qualities(self) -> list[str]:
        return list(dict.fromkeys(rung for ladder in self.quality for rung in ladder.rungs))


@dataclass(frozen=True, eq=False)
class Source:
    """A data set: its reference, and other real images from which samples are made."""

    name: str
    extractor: Extractor
    classes: int  # of each channel
    images: Tensor  # uint8 N x C x H x W, none of the reference
    labels: Tensor  # int64 N
    truth: Truth
    plan: Plan
    foreign: Tensor | None  # images of another set, where the plan replaces by such

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, float64 N x D, and the assigned modes, int64 N."""
        features, logits = self.extractor.outputs(images)
        assert logits is not None
        return features.double(), by_classifier(logits, self.classes)


def source(
    name: str, extractor: Extractor, images: Tensor, labels: Tensor, plan: Plan, foreign: Tensor | None, seed: int
) -> Source:
    """Split real images at random into REFERENCE reference images and images for planting."""
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(images)))
    indices, rest = order[:REFERENCE], order[REFERENCE:]
    features, _ = extractor.outputs(images[indices])
    features = features.double()
    centroids = cells(features, BINS, seed)
    bins = torch.cdist(features.float(), centroids).argmin(1)
    modes = int(labels.max()) + 1
    truth = Truth(
        features[: plan.n], features.mean(0), features.T.cov(), centroids, shares(bins, BINS),
        shares(labels[indices], modes),
    )  # fmt: skip
    per_channel = round(modes ** (1 / (images.shape[1] if extractor.by_channel else 1)))
    return Source(name, extractor, per_channel, images[rest], labels[rest], truth, plan, foreign)


class Draw:
    """Images drawn of a source, and their features under every defect, each computed when first needed."""

    def __init__(self, source: Source, seed: int) -> None:
        self.source, self.seed = source, seed
        self.generator = seeded("cpu", "planted noise", seed)
        self._parts: list[Tensor] = []
        self.states = dict(self._coverage())
        self.pool = torch.cat(self._parts)
        self._features: dict[str, tuple[Tensor, Tensor]] = {}

    def compare(self, coverage: str, quality: str) -> Comparison:
        """Return the samples of one state of coverage and of quality, beside the reference."""
        index = self.states[coverage]
        kind = next((kind for kind in self.source.plan.kinds if quality.endswith(kind)), None)
        features, classes = self._of_pool(INTACT if kind else quality, index)
        if kind:
            spoiled = round(float(quality.split("%")[0]) / 100 * len(index))
            features[:spoiled], classes[:spoiled] = (part[:spoiled] for part in self._replacements(kind, coverage))
        return Comparison(self.source.truth, features, classes)

    def _coverage(self) -> Iterator[tuple[str, Tensor]]:
        """Yield each state of coverage and the indices of its images in the pool, in random order."""
        plan, rng = self.source.plan, np.random.RandomState(key("planted coverage", self.seed))
        modes = rng.permutation(int(self.source.labels.max()) + 1)
        lists = {mode: rng.permutation(np.flatnonzero(self.source.labels.numpy() == mode)) for mode in modes}
        half = len(modes) // 2
        mixtures = {f"{share:.0%} of modes": np.ones(round(share * len(modes))) for share in (0.5, *plan.mode_shares)}
        for weight in plan.weights:
            mixtures[f"half of modes × {weight:g}"] = np.repeat((1.0, weight), (half, len(modes) - half))
        mixtures[FULL] = np.ones(len(modes))
        places: dict[int, int] = {}
        for name in (name for name in mixtures if name in plan.coverages):
            weights = mixtures[name]
            counts = apportion(plan.n, weights / weights.sum(), rng)
            indices = np.concatenate(
                [np.resize(lists[mode], count) for mode, count in zip(modes, counts, strict=False) if count]
            )
            numbers = [places.setdefault(int(i), len(places)) for i in rng.permutation(indices)]
            yield name, torch.tensor(numbers)
        self._parts.append(self.source.images[torch.tensor(list(places))])
        generator, start = seeded("cpu", "planted shifts", self.seed), len(places)
        for count in (*plan.distinct, plan.n) if plan.distinct else ():
            mode_counts = apportion(count, np.full(len(modes), 1 / len(modes)), rng)
            indices = np.concatenate(
                [
                    np.resize(lists[m], random_images)
                    for m, random_images in zip(modes, mode_counts, strict=True)
                    if random_images
                ]
            )
            repeated = torch.from_numpy(rng.permutation(np.resize(indices, plan.n)))
            self._parts.append(shifted(self.source.images[repeated], generator, SHIFT))
            yield f"{count:,} images", torch.arange(start, start + plan.n)
            start += plan.n

    def _of_pool(self, quality: str, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and modes of some images of the pool under one defect; each image is computed once."""
        if quality not in self._features:
            empty = torch.zeros(len(self.pool), self.source.extractor.dim, dtype=torch.float64)
            self._features[quality] = empty, torch.full((len(self.pool),), -1)
        features, classes = self._features[quality]
        if len(missing := index[classes[index] < 0].unique()):
            features[missing], classes[missing] = self.source.outputs(self._apply_defect(quality, self.pool[missing]))
        return features[index], classes[index]

    def _apply_defect(self, quality: str, images: Tensor) -> Tensor:
        kind, _, strength = quality.rpartition(" ")
        if kind == "blur":
            return blur(images, float(strength))
        if kind == "pixel noise":
            return pixel_noise(images, float(strength), self.generator)
        return images

    def _replacements(self, kind: str, coverage: str) -> tuple[Tensor, Tensor]:
        """Return features and modes of replacements for the largest share; blends are of the state's images."""
        name = f"{kind} {coverage}" if kind == "blends" else kind
        if name not in self._features:
            n, generator = round(max(self.source.plan.replaced) * self.source.plan.n), seeded("cpu", kind, self.seed)
            state_images = self.pool[self.states[coverage]]
            if kind == "blends":
                images = blend(state_images, generator)[:n]
            elif kind == "blends of all modes":
                images = blend(random_images(self.source.images, n, generator), generator)
            elif kind == "noise images":
                images = white_noise(state_images[:n], generator)
            else:
                assert self.source.foreign is not None
                images = random_images(self.source.foreign, n, generator)
            self._features[name] = self.source.outputs(images)
        return self._features[name]


def random_images(images: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return images[torch.randperm(len(images), generator=generator)[:n]]


def apportion(n: int, parts: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return whole numbers that sum to n and are within one of n times the parts; the remainder is drawn."""
    counts = np.floor(n * parts + 1e-9).astype(int)
    counts[rng.permutation(len(parts))[: n - counts.sum()]] += 1
    return counts


def figures(draw: Draw, states: list[State], tick: Callable[[], None]) -> dict[State, dict[str, float]]:
    """Compute every candidate's figure of each state."""
    values = {}
    for state in states:
        comparison = draw.compare(*state)
        values[state] = {candidate.name: candidate.compute(comparison) for candidate in CANDIDATES}
        tick()
    return values
