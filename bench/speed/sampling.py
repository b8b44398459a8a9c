"""Compare a step of sampling with the network's own pass, and with diffusers' pipeline around that network.

All three run the same weights in the same precision. A round of the ancestral sampler has four to sixty steps, spread
over all 1000 times as a sampler of 1000 steps has them; the bare side is as many forward passes without anything else.
"""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.runs.build import build_model
from bench.speed.answers import Answer, Tick, answer, interleave
from bench.speed.turns import now
from models.base import DataSpec
from models.ddpm import DDPM

BATCHES = (1, 4, 16, 64, 256)
ROUNDS = 21
IMAGES_A_ROUND = 60  # times steps
LIMIT = 0.97
PIPELINE_TARGET = {"cpu": 1.0, "cuda": 2.0}


class AsUNet2D(nn.Module):
    """Adapt our denoiser to diffusers' pipeline: times start at 0, and the result is an attribute."""

    def __init__(self, denoiser: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.config = SimpleNamespace(in_channels=image_shape[0], sample_size=image_shape[1])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def forward(self, x: Tensor, t: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=self.denoiser(x, t.to(x.device).expand(len(x)) + 1))


def sides(model: DDPM, batch: int, steps: int, device: torch.device) -> dict[str, Callable[[], float]]:
    """Return for each side a function that measures its seconds for a step."""
    from diffusers import DDPMPipeline, DDPMScheduler

    pipeline: Any = DDPMPipeline(AsUNet2D(model.denoiser, model.image_shape), DDPMScheduler(1000))
    pipeline.set_progress_bar_config(disable=True)
    x, t = torch.randn(batch, *model.image_shape, device=device), torch.full((batch,), 500, device=device)
    generator = torch.Generator(device).manual_seed(0)

    def ours() -> None:
        model.sample(batch, generator, steps=steps)

    def theirs() -> None:
        pipeline(batch_size=batch, generator=generator, num_inference_steps=steps, output_type="np")

    @torch.no_grad()
    def bare() -> None:
        for _ in range(steps):
            model.denoiser(x, t)

    def seconds(work: Callable[[], None]) -> float:
        start = now(device)
        work()
        return (now(device) - start) / steps

    return {side.__name__: partial(seconds, side) for side in (ours, theirs, bare)}


def measure(tick: Tick) -> list[Answer]:
    """Return two answers for each batch size: against the bare network, and against diffusers."""
    (config,) = load(["preset=quick", "model=ddpm"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config, DataSpec((1, 28, 28))).to(device).eval()
    assert isinstance(model, DDPM)
    target = PIPELINE_TARGET[device.type]
    bf16 = resolve_precision(config) == "bf16-mixed"
    note = "bfloat16" if bf16 else "float32"
    answers = []
    for batch in BATCHES:
        steps = max(4, IMAGES_A_ROUND // batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            measurements = interleave(
                sides(model, batch, steps, device), ROUNDS, lambda share: tick(share / len(BATCHES))
            )
        what = f"a sampling step, batch {batch}"
        answers.append(answer(measurements, what, "the bare network", "steps/s", "ours", "bare", LIMIT, note))
        of_1000 = {name: [1000 * seconds / batch for seconds in rounds] for name, rounds in measurements.items()}
        what = f"1000-step sampling, batch {batch}"
        answers.append(answer(of_1000, what, "diffusers' DDPMPipeline", "images/s", "ours", "theirs", target, note))
    return answers
