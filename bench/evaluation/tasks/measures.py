"""Measure each task: (model, task) -> figures that JSON can hold."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.evaluation.features.extractor import Progress
from bench.evaluation.tasks.image_tasks import bits, denoising, reconstruction
from bench.evaluation.tasks.probe import encoded_features, probe_accuracies


@dataclass(frozen=True, eq=False)
class Task:
    """The images of the tasks, uint8 N x C x H x W, equal for every model, with seed, chunk size and device."""

    images: Tensor  # held out
    labels: Tensor
    train_images: Tensor
    train_labels: Tensor
    seed: int
    chunk: int
    device: torch.device
    progress: Progress | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"chunk": self.chunk, "device": self.device, "progress": self.progress}


def reconstruction_figures(model: Any, task: Task) -> dict[str, Any]:
    """Compute MSE, PSNR and SSIM of the reconstructions of held-out images."""
    return reconstruction(model.reconstruct, task.images, **task.settings)


def probe_figures(model: Any, task: Task) -> dict[str, Any]:
    """Compute accuracies of probes on the model's frozen features."""
    train, test = (
        encoded_features(model.encode, images, **task.settings) for images in (task.train_images, task.images)
    )
    return probe_accuracies(train, task.train_labels, test, task.labels)


def likelihood_figures(model: Any, task: Task) -> dict[str, Any]:
    """Compute bounds on the bits per dimension of held-out images."""
    return bits(model.bits_per_dim, task.images, seed=task.seed, **task.settings)


def denoising_figures(model: Any, task: Task) -> dict[str, Any]:
    """Compute the quality of noisy and of denoised images, at each of the model's levels."""
    levels = denoising(model.corrupt, model.denoise, model.noise_levels, task.images, seed=task.seed, **task.settings)
    return {"levels": levels}
