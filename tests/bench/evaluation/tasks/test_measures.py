"""A task's figures are those of its model's method on its images, with its seed and chunks."""

import dataclasses

import pytest
import torch
from torch import Tensor

from bench.evaluation.tasks.image_tasks import PSNR_CAP
from bench.evaluation.tasks.measures import (
    Task,
    denoising_figures,
    likelihood_figures,
    probe_figures,
    reconstruction_figures,
)


class Bound:
    def __init__(self, bits: Tensor) -> None:
        self.name, self.bits, self.terms, self.levels = "exact", bits, dict[str, Tensor](), 256


class Identity:
    """A model that changes no image, encodes an image by its pixels, and adds noise of its level."""

    noise_levels = (0.0, 0.5)

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def reconstruct(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return x

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def bits_per_dim(self, x: Tensor, generator: torch.Generator) -> list[Bound]:
        return [Bound(torch.full((len(x),), 8.0))]

    def corrupt(self, x: Tensor, level: float, generator: torch.Generator) -> Tensor:
        return x + level * torch.randn(x.shape, generator=generator)

    def denoise(self, x: Tensor) -> Tensor:
        return x


@pytest.fixture
def task() -> Task:
    """Dark images of class 0 and bright ones of class 1."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 2
    images = (torch.randint(100, (40, 1, 8, 8), generator=generator) + 150 * labels[:, None, None, None]).byte()
    return Task(images[:20], labels[:20], images[20:], labels[20:], 0, 7, torch.device("cpu"))


def test_equal_images_are_reconstructed_without_error_in_the_tasks_chunks(task: Task) -> None:
    model = Identity()
    figures = reconstruction_figures(model, task)
    assert (figures["mse"], figures["ssim"], figures["psnr"]) == (0, pytest.approx(1), PSNR_CAP)
    assert model.sizes == [7, 7, 6]


def test_separable_classes_are_read_from_the_features(task: Task) -> None:
    figures = probe_figures(Identity(), task)
    assert (figures["linear_probe"], figures["knn"], figures["features"]) == (1, 1, 64)


def test_the_bits_of_a_uniform_distribution_are_eight(task: Task) -> None:
    assert likelihood_figures(Identity(), task)["bits_per_dim"] == pytest.approx(8)


def test_every_level_is_measured_and_the_seed_decides_the_noise(task: Task) -> None:
    model = Identity()
    first, again = denoising_figures(model, task), denoising_figures(model, task)
    assert first == again
    assert [level["level"] for level in first["levels"]] == [0.0, 0.5]
    assert first["levels"][0]["psnr"] == PSNR_CAP
    assert first["levels"][1] != denoising_figures(model, dataclasses.replace(task, seed=1))["levels"][1]
