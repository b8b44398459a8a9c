"""The small classifier behind `<data>-cnn` extractors: its penultimate layer is the feature space of 28 x 28 digits.

Inception features are made for photographs; on MNIST-like data the field uses the features of a classifier trained on
the data itself. This file holds the network and its training; `bench extractor data=mnist` runs it and writes the
weights that are shipped in `assets/`.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 128  # width of the penultimate layer
EPOCHS = 8
LEAST_STEPS = 200  # of the training on a set of a few hundred images, which eight passes would not teach


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class Classifier(nn.Module):
    """Six 3 x 3 convolutions with batch normalisation, two poolings, global average: about 0.3 M parameters."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(channels, 32), *_block(32, 32), nn.MaxPool2d(2),
            *_block(32, 64), *_block(64, 64), nn.MaxPool2d(2),
            *_block(64, FEATURES), *_block(FEATURES, FEATURES), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(FEATURES, classes)

    def features(self, images: Tensor) -> Tensor:
        """uint8 N x C x H x W -> float32 N x 128."""
        x = images.to(torch.float32) / 127.5 - 1
        return self.body(x.contiguous(memory_format=torch.channels_last))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 N x C x H x W -> logits, float32 N x classes."""
        return self.head(self.features(images))


def shifted(images: Tensor, generator: torch.Generator, reach: int = 2) -> Tensor:
    """Shift each image of a uint8 batch by up to `reach` pixels along both axes and fill the border with zeros."""
    n, _, height, width = images.shape
    padded = F.pad(images, (reach,) * 4)
    dy, dx = torch.randint(0, 2 * reach + 1, (2, n), generator=generator)
    rows = (dy[:, None] + torch.arange(height))[:, :, None]
    columns = (dx[:, None] + torch.arange(width))[:, None, :]
    # the two advanced indices around a slice put the channels last
    return padded[torch.arange(n)[:, None, None], :, rows, columns].permute(0, 3, 1, 2)


def accuracy(model: Classifier, images: Tensor, labels: Tensor, chunk: int = 1000) -> float:
    """Return the share of `labels` that `model` gets right, in evaluation mode."""
    model.eval()
    with torch.inference_mode():
        right = sum(
            int((model(x).argmax(1) == y).sum()) for x, y in zip(images.split(chunk), labels.split(chunk), strict=True)
        )
    return right / len(images)


def train(
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = EPOCHS,
    batch: int = 128,
    seed: int = 0,
    progress: Callable[[range], Iterable[int]] = lambda steps: steps,
) -> Classifier:
    """Fit a `Classifier` to uint8 images and integer labels by AdamW under a one-cycle rate with shifts of two pixels.

    At least LEAST_STEPS batches, which are smaller than `batch` where there are fewer images. `progress` wraps the
    range of steps, so that the caller can show a bar. The same seed gives the same weights on the same machine. No
    label smoothing: it would pull each class to a point, and the features must tell images apart within a class.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Classifier(images.shape[1], int(labels.max()) + 1).to(memory_format=torch.channels_last)
    steps = max(LEAST_STEPS, epochs * len(images) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    model.train()
    order = torch.empty(0, dtype=torch.long)
    for _ in progress(range(steps)):
        if len(order) < min(batch, len(images)):
            order = torch.randperm(len(images), generator=generator)
        index, order = order[:batch], order[batch:]
        loss = F.cross_entropy(model(shifted(images[index], generator)), labels[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()
