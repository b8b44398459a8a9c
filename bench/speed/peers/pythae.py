"""pythae: its BaseTrainer on its VAE and VQVAE, with our encoders and decoders."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VQVAE, VAEConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

BATCHES = 10  # of an epoch of its trainer, the least that it trains at once; of few, their start would count


class Encoder(BaseEncoder):
    """Our encoder, which returns mean and log-variance in one tensor (VAE), or a grid of vectors (VQ-VAE)."""

    def __init__(self, net: nn.Module, halves: bool) -> None:
        super().__init__()
        self.net, self.halves = net, halves

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.net(x)
        if not self.halves:
            return ModelOutput(embedding=h)
        mean, log_variance = h.chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Our decoder."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.net(z))


class Pythae:
    """Trains on uint8 images, N x C x H x W: a VAE if `latent_dim` is given, else a VQ-VAE with `codes` codes.

    `encoder` and `decoder` are networks of ours, in the memory format that they are given in; of pythae's own without
    `adapted`.
    """

    def __init__(
        self, images: Tensor, encoder: nn.Module, decoder: nn.Module, batch: int, folder: Path,
        latent_dim: int | None = None, codes: int = 64, adapted: bool = True,
    ) -> None:  # fmt: skip
        logging.getLogger("pythae").setLevel(logging.WARNING)
        shape = tuple(images.shape[1:])
        parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
        if adapted:
            parts = {"encoder": Encoder(encoder, latent_dim is not None), "decoder": Decoder(decoder)}
        if latent_dim is not None:
            model: Any = VAE(VAEConfig(input_dim=shape, latent_dim=latent_dim), **parts)
        else:
            model = VQVAE(VQVAEConfig(input_dim=shape, num_embeddings=codes, use_ema=True, decay=0.99), **parts)
        self.images = BATCHES * batch
        epoch = images[: self.images].float() / 127.5 - 1
        settings = BaseTrainerConfig(
            output_dir=str(folder), num_epochs=1, per_device_train_batch_size=batch, learning_rate=1e-3,
            train_dataloader_num_workers=0,
        )  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            self.trainer = BaseTrainer(model, BaseDataset(epoch, torch.zeros(len(epoch))), training_config=settings)
        self.trainer.prepare_training()
        self.trainer.callback_handler.callbacks.clear()  # its progress bar

    def turn(self, batches: int, seconds: float) -> int:
        """Train for an epoch of BATCHES batches; return the number of images."""
        self.trainer.train_step(1)
        return self.images


if __name__ == "__main__":  # trains its own network for `bench speed memory`: images.npy, images to train on, batch
    import sys
    import tempfile

    import numpy as np
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST

    images = torch.from_numpy(np.load(sys.argv[1]))
    config = VAEConfig(input_dim=tuple(images.shape[1:]), latent_dim=32)
    nets = Encoder_Conv_VAE_MNIST(config), Decoder_Conv_AE_MNIST(config)
    with tempfile.TemporaryDirectory() as folder:
        peer = Pythae(images, *nets, int(sys.argv[3]), Path(folder), latent_dim=32, adapted=False)
        done = 0
        while done < int(sys.argv[2]):
            done += peer.turn(BATCHES, 0.0)
