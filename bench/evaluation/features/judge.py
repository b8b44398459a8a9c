"""The classifier that judges whether samples show the labels that a model was given.

It is another network than the evaluator's, taught by other images: half of the held-out split, where the evaluator's
saw the training split. It is trained once a machine and kept by the content of these images.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.evaluation import digest as storage
from bench.evaluation.features.classifier import shifted
from bench.evaluation.keys import key

VERSION = 1  # of the network and its training; raised where they change, so that no older judge is read
PASSES, BATCH, RATE = 150_000, 64, 2e-3  # images that are seen in training
CHUNK = 1000

Classify = Callable[[Tensor], Tensor]  # uint8 N x C x H x W -> int64 N
Progress = Callable[[range], Iterable[int]]


class JudgeNetwork(nn.Sequential):
    """LeCun et al. 1998's LeNet-5, with rectifiers, pooling by maxima and dropout: uint8 N x C x H x W -> N x classes.

    Five-pixel filters and fully connected layers, where the evaluator has three-pixel filters, batch normalisation and
    a global average.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(7),
            nn.Flatten(), nn.Linear(16 * 49, 120), nn.ReLU(), nn.Dropout(0.3), nn.Linear(120, classes),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.to(torch.float32) / 127.5 - 1)


@dataclass(frozen=True, eq=False)
class Judge:
    """How samples are assigned to labels.

    name: a clause for people, with the judge's accuracy. learned: bool M, held-out images that taught it, or of which a
    channel did.
    """

    name: str
    classify: Classify
    learned: Tensor


def half(images: Tensor) -> Tensor:
    """Choose half of the distinct images of uint8 M x C x H x W, bool M, the same on every machine.

    Equal images, of which Stacked MNIST's channels are made, are chosen together.
    """
    rows = images.flatten(1).contiguous().numpy()
    whole = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)  # of each distinct image, in the order of their first occurrences
    number[np.argsort(first)] = np.arange(len(first))
    chosen = np.zeros(len(first), bool)
    chosen[np.random.RandomState(key("judge", 0)).permutation(len(first))[: len(first) // 2]] = True
    return torch.from_numpy(chosen[number[group.ravel()]])


def trained_judge(
    images: Tensor, labels: Tensor, classes: int, cache: Path | None = None, progress: Progress = lambda steps: steps
) -> Judge:
    """Teach a judge by half of a held-out split, uint8 M x C x H x W and int64 M, and measure it on the other half."""
    learned = half(images)
    network = JudgeNetwork(images.shape[1], classes).eval()
    taught = {"images": images[learned].contiguous(), "labels": labels[learned].contiguous()}
    path = cache / f"judge-{storage.digest(taught)[:16]}-v{VERSION}.pt" if cache else None
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    weights = storage.from_cache(path, shapes) if path else None
    if weights is None:
        weights = taught_network(taught["images"], taught["labels"], classes, PASSES, progress).state_dict()
        if path:
            storage.to_cache(weights, path)
    network.load_state_dict(weights)
    right = (classified(network, images[~learned]) == labels[~learned]).double().mean().item()
    return Judge(f"LeNet-5, right on {right:.2%} of held-out images", lambda x: classified(network, x), learned)


def taught_network(
    images: Tensor, labels: Tensor, classes: int, passes: int, progress: Progress = lambda steps: steps
) -> JudgeNetwork:
    """Train on shifted images by Adam, at a rate that falls to zero by a half cosine; equal images, equal weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key("judge", 0))
        generator = torch.Generator().manual_seed(key("judge", 1))
        network = JudgeNetwork(images.shape[1], classes).train()
        steps = range(passes // BATCH)
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(steps))
        for _ in progress(steps):
            index = torch.randint(len(images), (BATCH,), generator=generator)
            loss = F.cross_entropy(network(shifted(images[index], generator)), labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def classified(network: nn.Module, images: Tensor) -> Tensor:
    """Return the most likely label of each image, int64 N."""
    return torch.cat([network(chunk).argmax(1) for chunk in images.split(CHUNK)])


def channel_judge(images: Tensor, labels: Tensor, classes: int, *args: Any, **settings: Any) -> Judge:
    """Teach a judge single channels as `trained_judge` does; a label is a number with a digit, of `classes`, for each.

    Stacked MNIST's digits a, b, c are label 100 a + 10 b + c.
    """
    channels = images.shape[1]
    places = classes ** torch.arange(channels - 1, -1, -1)
    digits = labels[:, None] // places % classes
    single = trained_judge(images.flatten(0, 1).unsqueeze(1), digits.flatten(), classes, *args, **settings)

    def classify(images: Tensor) -> Tensor:
        return (single.classify(images.flatten(0, 1).unsqueeze(1)).view(-1, channels) * places).sum(1)

    name = single.name.replace("images", "channels")
    return Judge(name, classify, single.learned.view(-1, channels).any(1))
