"""The contract between a generative model and the code that trains, samples and evaluates it."""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Concatenate, Literal, ParamSpec, TypeVar

import lightning as L
import torch
from annotated_types import Ge, Gt, Lt
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from models.clusters import Clusters
from models.muon import Muon
from models.ranks import average

P = ParamSpec("P")
ImageShape = tuple[int, int, int]  # channels, height, width
Optimizer = Literal["adam", "muon"]
Fraction = Annotated[float, Gt(0), Lt(1)]
Share = Annotated[float, Ge(0), Lt(1)]
LOG_EVERY = 50  # batches between two points of a curve
# The columns of the lecture's table; families that the lecture lacks, with lines of their own; "autoencoder" has none.
FAMILIES = ("autoregressive-vae", "gan", "diffusion", "flow", "diffusion-gan", "autoencoder")
R = TypeVar("R")


@dataclass(frozen=True)
class DataSpec:
    """What a model is told of its data.

    image_shape: C, H, W. class_shares: the share of each label 0 ... K - 1 among the training images, which sum to 1;
    empty where the images have no labels.
    """

    image_shape: ImageShape
    class_shares: tuple[float, ...] = ()


def inference(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Run a model's method in evaluation mode without gradients, and restore the model's mode."""

    @functools.wraps(method)
    def run(self: "GenerativeModel", /, *args: P.args, **kwargs: P.kwargs) -> R:
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return method(self, *args, **kwargs)
        finally:
            self.train(was_training)

    return run


def sampling(draw: Callable[Concatenate[Any, P], Tensor]) -> Callable[Concatenate[Any, P], Tensor]:
    """Make a family's `sample` keep the contract: evaluation mode, no gradient, float32, clipped to [-1, 1]."""

    @functools.wraps(draw)
    def sample(self: "GenerativeModel", /, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        return draw(self, *args, **kwargs).float().clamp_(-1, 1)

    return inference(sample)


def noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw standard normal float32 noise on the generator's device and move it to `device`."""
    return torch.randn(shape, generator=generator, device=generator.device).to(device)


class GenerativeModel(L.LightningModule, ABC):
    """A family of generative models: one subclass and one file each.

    The constructor's keyword arguments are the schema of the model's YAML; the keyword arguments of `sample` are the
    schema of its samplers' YAMLs. Images are float32 in [-1, 1], N x C x H x W, in training batches as in samples.
    `training_step` sees one rank's share of a batch, and its loss is a mean over images; what it draws, and what it
    counts without gradients, are by `models.ranks`, so that several ranks train as one does.
    """

    family: ClassVar[str]  # of FAMILIES, or another word, which has lines of its own
    ema_decay: float | None = None  # of the averaged weights that sample; None: the last weights sample
    learning_rate: float  # the peak
    warmup: int = 0  # batches until the rate is at its peak
    optimizer_name: Optimizer = "adam"
    snapshot: float | None = None  # share of the training after which `models.protocols.Snapshots` keeps weights
    classes: int = 0  # labels that `models.protocols.SamplesGiven` takes; 0: the model is not conditional
    clusters: Clusters | None  # what its networks are told in the labels' place, learned before the first batch
    captioned: bool = False  # whether it is `models.protocols.SamplesCaptioned`

    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.image_shape = data.image_shape
        self.class_shares = data.class_shares
        self.clusters = None
        self.images_seen = 0  # over all ranks; the x axis of every curve

    @property
    @abstractmethod
    def networks(self) -> tuple[nn.Module, ...]:
        """The modules whose forward passes are a sample's cost (NFE)."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw images: n x C x H x W, float32 in [-1, 1]. Equal generators give equal images."""

    def passes(self, **settings: Any) -> int:
        """Evaluations of `networks` for each image that `sample` with these of its keyword arguments takes."""
        return 1

    def check_sampler(self, **settings: Any) -> None:
        """Raise ValueError, in one sentence, if `sample` cannot work with these of its keyword arguments."""

    @property
    def groups(self) -> int:
        """How many groups of images the networks are told apart: labels or clusters; 0: none."""
        return self.classes if self.clusters is None else self.clusters.count

    def draw_groups(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Draw n labels or clusters from the training images' shares, int64 on the model's device; None without groups.

        `sample` calls it first, so that equal generators tell the labels of its images.
        """
        if not self.groups:
            return None
        shares = torch.tensor(self.class_shares, dtype=torch.float64) if self.clusters is None else self.clusters.shares
        shares = shares.to(generator.device, torch.float64)
        return torch.multinomial(shares, n, replacement=True, generator=generator).to(self.device)

    def draw_labels(self, n: int, generator: torch.Generator) -> Tensor | None:
        """Return the labels, int64 n, that `sample` draws from such a generator; None if not conditional."""
        return self.draw_groups(n, generator) if self.classes else None

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Put the clusters of the images in their labels' place, where the networks are told clusters."""
        return batch if self.clusters is None else (batch[0], self.clusters(batch[0]))

    def log_losses(self, **losses: Tensor) -> None:
        """Log scalars, means over this rank's images, as means over all ranks' under `train/`.

        Only on the batches that Lightning writes out: `self.log` costs on every call.
        """
        if (self.trainer.fit_loop.total_batch_idx + 1) % LOG_EVERY == 0:
            scalars = {f"train/{name}": value.detach().clone() for name, value in losses.items()}
            average(list(scalars.values()))
            # float32, which Lightning makes of a number, counts to 2^24 only
            self.log_dict(scalars | {"images_seen": torch.tensor(self.images_seen, dtype=torch.float64)})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam (Kingma and Ba 2015, arXiv:1412.6980) with PyTorch's other defaults, or Muon; with its schedule.

        A family may override it.
        """
        optimizer: torch.optim.Optimizer
        if self.optimizer_name == "muon":
            optimizer = Muon(self, self.learning_rate)
        else:
            optimizer = torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)
        schedule = self.cosine_to_zero(optimizer, self.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def cosine_to_zero(self, optimizer: torch.optim.Optimizer, warmup: int = 0) -> torch.optim.lr_scheduler.LambdaLR:
        """Return a rate that rises linearly over `warmup` batches and falls to zero by a half cosine at the end."""

        def factor(batch: int) -> float:
            rise = min(1.0, (batch + 1) / max(1, warmup))
            return rise * 0.5 * (1 + math.cos(math.pi * self.share_of_training(batch)))

        return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    def share_of_training(self, batch: int) -> float:
        """Return which share of all batches lies before the batch of this index, from 0 to 1."""
        # evaluated late: estimated_stepping_batches would load the data before a resumed run restores its place
        total = self.trainer.num_training_batches * (self.trainer.max_epochs or 1) if batch else 1
        return min(1.0, batch / total)

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        # at the batch's start, since callbacks (checkpoints) see its end before the module does
        self.images_seen += len(batch[0]) * self.trainer.world_size

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["images_seen"] = self.images_seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.images_seen = checkpoint["images_seen"]
