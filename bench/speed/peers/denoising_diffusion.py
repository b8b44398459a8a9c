"""denoising-diffusion-pytorch: its Unet, its GaussianDiffusion and its Trainer, which reads a folder of PNG files."""

import contextlib
import io
import time
from pathlib import Path

import torch
from denoising_diffusion_pytorch import GaussianDiffusion, Trainer, Unet
from PIL import Image
from torch import Tensor

FILES = 10_000  # of the training images; its README asks for "at least 10k"
DIM = 28  # of its Unet with stages of 1 and 2 times as many: 646,685 weights; ours has 652,740


class DenoisingDiffusion:
    """Trains on uint8 images, N x 1 x H x H, in batches of `batch`, `accumulate` of them a step; in bfloat16 if `bf16`.

    The settings are its README's (rate 8e-5, averages of .995), less mirroring, which digits do not survive.
    """

    def __init__(self, images: Tensor, folder: Path, batch: int, accumulate: int, steps: int, bf16: bool) -> None:
        self.shape = tuple(images.shape[1:])
        for number, image in enumerate(images[:FILES, 0].numpy()):
            Image.fromarray(image).save(folder / f"{number}.png")
        unet = Unet(dim=DIM, dim_mults=(1, 2), channels=self.shape[0])
        diffusion = GaussianDiffusion(unet, image_size=self.shape[1], timesteps=1000, sampling_timesteps=steps)
        self.images_a_step = batch * accumulate
        self.trainer = Trainer(
            diffusion, str(folder), train_batch_size=batch, gradient_accumulate_every=accumulate, train_lr=8e-5,
            augment_horizontal_flip=False, ema_decay=0.995, amp=bf16, mixed_precision_type="bf16", calculate_fid=False,
            save_and_sample_every=10**9, results_folder=str(folder / "results"),
        )  # fmt: skip

    def turn(self, batches: int, seconds: float) -> int:
        """Train for about `seconds`; how many images that took."""
        start, first = time.perf_counter(), self.trainer.step
        aside = io.StringIO()  # a bar and a sentence of its own for every step
        with contextlib.redirect_stdout(aside), contextlib.redirect_stderr(aside):
            while self.trainer.step == first or time.perf_counter() - start < seconds:
                self.trainer.train_num_steps = self.trainer.step + 1
                self.trainer.train()
        return (self.trainer.step - first) * self.images_a_step

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, steps: int) -> Tensor:
        """float32 in [-1, 1] by its DDIM from the averaged weights; its noise is torch's, seeded by the generator."""
        state = torch.get_rng_state()
        torch.manual_seed(generator.initial_seed())
        x: Tensor = self.trainer.ema.ema_model.sample(batch_size=n)
        torch.set_rng_state(state)
        return (x.cpu() * 2 - 1).float().clamp(-1, 1)
