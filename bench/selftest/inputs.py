"""The inputs of the self-test: real and modified digits, points and triples, each evaluated when first needed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.features.extractor import Extractor, Progress
from bench.evaluation.features.random_network import random_network
from bench.evaluation.features.reference import held_out, manifold_indices, reference, subset
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.keys import seeded
from bench.evaluation.metrics.copies import training_pixels
from bench.evaluation.metrics.feature_sets import Modes
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import Evaluation, ReferenceSet, SecondReference
from bench.runs import context as standard
from datamodules import DATAMODULES
from datamodules.base import ImageDataModule

SEED = 0
SAMPLES, TRIPLES, POINTS = 1000, 500, 2000  # evaluated of digits, of Stacked MNIST, of the plane
DRAWS, DRAWN = 20, 500  # independent draws of points, and points evaluated of each
TRAINING, HELD_OUT = 10_000, 4_000  # digits that are the reference, and digits beside them
BLURS = (0.5, 1.0, 2.0)  # deviations, in pixels
NOISES = (0.1, 0.2, 0.4)  # deviations, white is 1
DROPPED = (2, 5)  # modes, of ten
HIDDEN = SAMPLES // 20  # copies among other images
FEW = SAMPLES // 50  # copies of other kinds

# mean and covariance of the points that are evaluated, and of their reference
GAUSSIANS = (
    (torch.tensor([0.3, -0.2]).double(), torch.tensor([[0.08, 0.03], [0.03, 0.05]]).double()),
    (torch.tensor([-0.1, 0.1]).double(), torch.tensor([[0.04, -0.02], [-0.02, 0.09]]).double()),
)


@dataclass(frozen=True, eq=False)
class Setting:
    """The reference set and the protocol of one data set's samples."""

    reference_set: ReferenceSet
    protocol: Protocol

    def evaluate(self, images: Tensor) -> Evaluation:
        return evaluate_images(images, self.reference_set, self.protocol)


def setting(
    data: str,
    extractor: Extractor,
    samples: int,
    training: Tensor,
    held_out_images: Tensor | None = None,
    modes: Modes | None = None,
    progress: Progress | None = None,
) -> Setting:
    """Return the setting whose reference is `training`; C_T compares with the held-out images' distances to it."""
    split = reference(training, extractor, progress=progress)
    held_out_set = None
    if held_out_images is not None:
        held_out_set = held_out(
            held_out_images, split, extractor, samples=samples, seed=SEED, cells_wanted=standard.CELLS
        )
    protocol = Protocol(
        data=data,
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        reference_digest=split.digest,
        held_out_digest=held_out_set.digest if held_out_set else "",
        samples=samples,
        seed=SEED,
        chunk=250,
        quantisation="uint8" if extractor.dtype == torch.uint8 else "none",
        kid_subsets=20,
        cells=standard.CELLS,
        modes=modes.name if modes else "",
        weights="none",
    )
    random = None
    if training.dtype == torch.uint8:
        network = random_network()
        random = SecondReference(network, reference(training, network).moments)
    return Setting(ReferenceSet(extractor, split, held_out_set, modes, random=random), protocol)


def load_data(name: str) -> ImageDataModule:
    data = DATAMODULES[name]()
    data.setup()
    return data


class Inputs:
    """Evaluations by their name in MAKERS, each computed once.

    Reference, held-out images and samples are disjoint draws of the training digits, so that they are exchangeable and
    expectations are known. MNIST's test digits are by other writers.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        mnist = load_data("mnist")
        order = torch.from_numpy(np.random.RandomState(SEED).permutation(len(mnist.train_images)))
        self.training = mnist.train_images[order[:TRAINING]]
        self.held_out_images = mnist.train_images[order[TRAINING : TRAINING + HELD_OUT]]
        rest = order[TRAINING + HELD_OUT :]
        self.ones = mnist.train_images[rest[mnist.train_labels[rest] == 1][:SAMPLES]]
        extractor = load_extractor("mnist-cnn")
        modes = standard.modes(mnist, "mnist", extractor)
        self.digits = setting("mnist", extractor, SAMPLES, self.training, self.held_out_images, modes, progress)
        self._evaluations: dict[str, Evaluation] = {}

    def __getitem__(self, name: str) -> Evaluation:
        if name not in self._evaluations:
            self._evaluations[name] = MAKERS[name](self)
        return self._evaluations[name]

    @cached_property
    def aligned(self) -> Setting:
        """`digits` with the pixels of the reference, which add a second or two to each evaluation."""
        reference_set = self.digits.reference_set
        assert reference_set.held_out is not None
        pixels = training_pixels(
            self.training,
            self.held_out_images,
            reference_set.reference,
            reference_set.held_out,
            samples=SAMPLES,
            seed=SEED,
        )
        return replace(self.digits, reference_set=replace(reference_set, pixels=pixels))

    @property
    def real(self) -> Tensor:
        """The held-out digits that stand for samples; C_T compares with the distances of the rest."""
        return self.held_out_images[subset(HELD_OUT, SAMPLES, SEED, "baseline")]

    @cached_property
    def assigned_modes(self) -> Tensor:
        """The mode that the classifier sees in each held-out digit: its own errors are not the metrics'."""
        modes = self.digits.reference_set.modes
        assert modes is not None
        return modes.assign(*self.digits.reference_set.extractor.outputs(self.held_out_images))

    @cached_property
    def draws(self) -> list[Evaluation]:
        """DRAWS disjoint draws of points, DRAWN of them, each against a reference of its own."""
        grid, extractor = self.grid, load_extractor("coordinates")
        references, samples = grid.train_images.chunk(DRAWS), grid.test_images.split(DRAWN)[:DRAWS]
        return [
            setting("grid_25", extractor, DRAWN, split).evaluate(points)
            for split, points in zip(references, samples, strict=True)
        ]

    @cached_property
    def grid(self) -> ImageDataModule:
        return load_data("grid_25")

    @cached_property
    def triples(self) -> ImageDataModule:
        return load_data("stacked_mnist")

    @cached_property
    def stacked(self) -> Setting:
        extractor = load_extractor("stacked-mnist-cnn")
        modes = standard.modes(self.triples, "stacked_mnist", extractor)
        return setting("stacked_mnist", extractor, TRIPLES, self.triples.train_images[:TRIPLES], modes=modes)

    @property
    def triple_indices(self) -> Tensor:
        """Numbers of the held-out triples that are evaluated."""
        return subset(len(self.triples.test_images), TRIPLES, SEED, "baseline")


def without_modes(count: int, inputs: Inputs) -> Evaluation:
    images = inputs.held_out_images[inputs.assigned_modes < 10 - count]
    return inputs.digits.evaluate(images[:SAMPLES])


def copies(inputs: "Inputs") -> Evaluation:
    """Evaluate the single reference subset itself."""
    reference_set, protocol = inputs.aligned.reference_set, replace(inputs.aligned.protocol, subsets=1)
    indices = manifold_indices(len(inputs.training), SAMPLES, SEED, protocol.subsets)
    return Setting(reference_set, protocol).evaluate(inputs.training[indices])


def hidden(inputs: Inputs) -> Evaluation:
    return inputs.aligned.evaluate(torch.cat((inputs.training[:HIDDEN], inputs.real[HIDDEN:])))


def shifted(inputs: Inputs) -> Evaluation:
    """Evaluate copies shifted by two pixels to the left, at 0.7 of their brightness, among real digits."""
    copies = 0.7 * torch.roll(inputs.training[:FEW], -2, 3)
    return inputs.aligned.evaluate(torch.cat((copies.round().to(torch.uint8), inputs.real[FEW:])))


def hidden_off_the_data(inputs: Inputs) -> Evaluation:
    return inputs.aligned.evaluate(torch.cat((inputs.training[:FEW], blur(inputs.real[FEW:], 1.0))))


def blur(images: Tensor, deviation: float) -> Tensor:
    size = 2 * round(4 * deviation) + 1
    return gaussian_blur(images, [size, size], [deviation, deviation])


def blurred(deviation: float, inputs: Inputs) -> Evaluation:
    return inputs.digits.evaluate(blur(inputs.real, deviation))


def noisy(deviation: float, inputs: Inputs) -> Evaluation:
    noise = torch.randn(inputs.real.shape, generator=seeded("cpu", "selftest", SEED))
    return inputs.digits.evaluate((inputs.real + 255 * deviation * noise).round().clamp(0, 255).to(torch.uint8))


def mean(inputs: Inputs) -> Evaluation:
    image = inputs.training.float().mean(0).round().to(torch.uint8)
    return inputs.digits.evaluate(image.expand(SAMPLES, -1, -1, -1).contiguous())


def gaussians(inputs: Inputs) -> Evaluation:
    """Evaluate points whose mean and covariance are those of GAUSSIANS to float32's precision."""
    generator = seeded("cpu", "selftest", SEED)
    sets = []
    for mean, covariance in GAUSSIANS:
        z = torch.randn(POINTS, 2, generator=generator, dtype=torch.float64)
        z = torch.linalg.solve_triangular(torch.linalg.cholesky(z.T.cov()), (z - z.mean(0)).T, upper=False).T
        sets.append((mean + z @ torch.linalg.cholesky(covariance).T).float()[:, :, None, None])
    return setting("gaussians", load_extractor("coordinates"), POINTS, sets[1]).evaluate(sets[0])


def grid(inputs: Inputs) -> Evaluation:
    data, extractor = inputs.grid, load_extractor("coordinates")
    modes = standard.modes(data, "grid_25", extractor)
    return setting("grid_25", extractor, POINTS, data.train_images[:TRAINING], modes=modes).evaluate(data.test_images)


def triples(inputs: Inputs) -> Evaluation:
    return inputs.stacked.evaluate(inputs.triples.test_images[inputs.triple_indices])


MAKERS: dict[str, Callable[[Inputs], Evaluation]] = {
    "real digits": lambda inputs: inputs.aligned.evaluate(inputs.held_out_images),
    **{f"{count} of 10 digits dropped": partial(without_modes, count) for count in DROPPED},
    "only the digit 1": lambda inputs: inputs.aligned.evaluate(inputs.ones),
    **{f"blur {deviation:g}": partial(blurred, deviation) for deviation in BLURS},
    **{f"noise {deviation:g}": partial(noisy, deviation) for deviation in NOISES},
    "copies of the reference": copies,
    "5% copies among real digits": hidden,
    "2% shifted, darker copies among real digits": shifted,
    "2% copies among blurred digits": hidden_off_the_data,
    "mean of all digits": mean,
    "two Gaussians": gaussians,
    "grid_25, held out": grid,
    "stacked_mnist, held out": triples,
}
