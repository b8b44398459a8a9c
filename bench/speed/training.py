"""Compare a training step with those of other libraries, in images a second on the same images.

diffusers and denoising-diffusion-pytorch train our denoiser, so that only the trainers differ, and their own networks
of the same stages (of diffusers 634,273 weights beside our 652,740); pythae trains networks of ours. The diffusion
libraries run in float32, and in bfloat16 too where the machine computes in it; the faster one counts. Ours runs as
`bench train` runs it.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.config.schema import Config
from bench.runs.build import build_model, data_spec
from bench.speed.answers import Answer, Tick, quartiles
from bench.speed.peers.adapters import AsUnet, AsUNet2D
from bench.speed.turns import ENDLESS, Rival, Speeds, compare, trimmed_mean
from datamodules.base import ImageDataModule

SECONDS, TURNS = 1.0, 8
DDPM_TARGET = {"cpu": 2.0, "cuda": 1.3}
TRAINER_TARGET = 1.0  # of libraries that train our own networks
# ours, whose networks the rival uses; of the VQ-VAE the autoencoder, since pythae's step trains no prior
AUTOENCODERS = {
    "vae": ("training vae", ["model=vae"]),
    "vae-linear": ("training vae, linear", ["model=vae", "model.architecture=linear"]),
    "vqvae": (
        "training vqvae, less its prior",
        ["model=vqvae", "model.prior_dim=4", "model.prior_depth=1", "model.prior_heads=1"],
    ),
}
Build = Callable[[Config, Path, bool, ImageDataModule, L.Trainer], Rival]


def diffusers(own: bool, config: Config, folder: Path, bf16: bool, data: ImageDataModule, trainer: L.Trainer) -> Rival:
    from bench.speed.peers.diffusers import Diffusers, unet

    net = (
        unet(data.image_shape, config.model["channels"]) if own else AsUNet2D(denoiser(config, data), data.image_shape)
    )
    return Diffusers(data.train_images, net, config.train.batch, trainer.strategy.root_device, bf16)


def denoising_diffusion(
    own: bool, config: Config, folder: Path, bf16: bool, data: ImageDataModule, trainer: L.Trainer
) -> Rival:
    from bench.speed.peers.denoising_diffusion import DenoisingDiffusion, unet

    net = unet(data.image_shape, config.model["channels"]) if own else AsUnet(denoiser(config, data), data.image_shape)
    return DenoisingDiffusion(data.train_images, net, config.train.batch, trainer.strategy.root_device, bf16)


def denoiser(config: Config, data: ImageDataModule) -> torch.nn.Module:
    model: Any = build_model(config, data_spec(data))
    net: torch.nn.Module = model.denoiser
    return net


def pythae(config: Config, folder: Path, bf16: bool, data: ImageDataModule, trainer: L.Trainer) -> Rival:
    from bench.speed.peers.pythae import Pythae

    model: Any = build_model(config, data_spec(data))
    # in PyTorch's own memory format, as pythae's users have them
    encoder, decoder = (net.to(memory_format=torch.contiguous_format) for net in (model.encoder, model.decoder))
    latent_dim, codes = config.model.get("latent_dim"), config.model.get("codebook_size", 0)
    return Pythae(data.train_images, encoder, decoder, config.train.batch, folder, latent_dim, codes)


def measure(tick: Tick) -> list[Answer]:
    """Return an answer for each rival."""
    ddpm = "training ddpm", ["model=ddpm", "model.optimizer=adam"]  # Adam on both sides
    rows: list[tuple[str, list[str], str, Build, float | None]] = [
        (*ddpm, "diffusers, our network", partial(diffusers, False), TRAINER_TARGET),
        (*ddpm, "diffusers, its network", partial(diffusers, True), None),
        (*ddpm, "denoising-diffusion-pytorch, our network", partial(denoising_diffusion, False), TRAINER_TARGET),
        (*ddpm, "denoising-diffusion-pytorch, its network", partial(denoising_diffusion, True), None),
        *((what, words, "pythae", pythae, TRAINER_TARGET) for what, words in AUTOENCODERS.values()),
    ]
    return [compare_with(*row, tick=lambda share: tick(share / len(rows))) for row in rows]


def compare_with(what: str, words: list[str], rival: str, build: Build, target: float | None, tick: Tick) -> Answer:
    """Compare ours with one rival in its faster precision; target None: the one of another network."""
    (config,) = load(["preset=quick", *words, f"train.images={ENDLESS}"])
    precision = resolve_precision(config)
    choices = [False, True] if precision == "bf16-mixed" and rival != "pythae" else [False]
    results: list[tuple[float, Speeds, bool]] = []
    for bf16 in choices:
        with tempfile.TemporaryDirectory() as folder:
            speeds, _, _ = compare(
                config, partial(build, config, Path(folder), bf16), seconds=SECONDS, turns=TURNS,
                after_turn=lambda: tick(1 / TURNS / len(choices)),
            )  # fmt: skip
        results.append((trimmed_mean(speeds.ratios()), speeds, bf16))
    ratio, speeds, bf16 = min(results, key=lambda result: result[0])
    if target is None:
        target = DDPM_TARGET["cuda" if torch.cuda.is_available() else "cpu"]
    theirs = "bf16" if bf16 else "float32"
    note = f"batch {config.train.batch}; ours in {precision}, theirs in {theirs}"
    return Answer(
        what, rival, "images/s", *speeds.images_per_second(), ratio, *quartiles(speeds.ratios()), target, note
    )
