"""Compare a step of sampling with the network's own pass, and with other libraries' samplers.

The others sample around our network, so that only the samplers differ, and around their own. All run in the same
precision. A round of the ancestral sampler has four to sixty steps, spread over all 1000 times as a sampler of 1000
steps has them; the bare side is as many forward passes without anything else.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.runs.build import build_model
from bench.speed.answers import Answer, Tick, answer, interleave
from bench.speed.peers.adapters import AsUnet, AsUNet2D
from bench.speed.turns import now
from models.base import DataSpec
from models.ddpm import DDPM

BATCHES = (1, 16, 256)
ROUNDS = 21
IMAGES_A_ROUND = 60  # times steps
LIMIT = 0.97
SAMPLER_TARGET = {"cpu": 1.0, "cuda": 2.0}
RIVALS = {  # side -> its name
    "diffusers_ours": "diffusers' DDPMPipeline, our network",
    "diffusers_theirs": "diffusers' DDPMPipeline, its network",
    "lucidrains_ours": "denoising-diffusion-pytorch, our network",
    "lucidrains_theirs": "denoising-diffusion-pytorch, its network",
}


def sides(model: DDPM, channels: list[int], batch: int, steps: int, device: torch.device) -> Mapping[str, Any]:
    """Return for each side a function that samples, or passes, `steps` times."""
    from diffusers import DDPMPipeline, DDPMScheduler

    from bench.speed.peers import denoising_diffusion, diffusers

    shape = model.image_shape
    x, t = torch.randn(batch, *shape, device=device), torch.full((batch,), 500, device=device)
    generator = torch.Generator(device).manual_seed(0)

    def pipeline(net: Any) -> Callable[[], object]:
        whole: Any = DDPMPipeline(net, DDPMScheduler(1000))
        whole.set_progress_bar_config(disable=True)
        return partial(whole, batch_size=batch, generator=generator, num_inference_steps=steps, output_type="np")

    def loop(net: torch.nn.Module) -> Callable[[], object]:
        return partial(denoising_diffusion.diffusion(net, shape, steps).to(device).sample, batch_size=batch)

    @torch.no_grad()
    def bare() -> None:
        for _ in range(steps):
            model.denoiser(x, t)

    return {
        "ours": partial(model.sample, batch, generator, steps=steps),
        "bare": bare,
        "diffusers_ours": pipeline(AsUNet2D(model.denoiser, shape)),
        "diffusers_theirs": pipeline(diffusers.unet(shape, channels).to(device).eval()),
        "lucidrains_ours": loop(AsUnet(model.denoiser, shape)),
        "lucidrains_theirs": loop(denoising_diffusion.unet(shape, channels).eval()),
    }


def seconds_of_a_step(work: Callable[[], object], steps: int, device: torch.device) -> float:
    start = now(device)
    work()
    return (now(device) - start) / steps


def measure(tick: Tick) -> list[Answer]:
    """Return for each batch size the answers against the bare network, and against each rival."""
    (config,) = load(["preset=quick", "model=ddpm"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config, DataSpec((1, 28, 28))).to(device).eval()
    assert isinstance(model, DDPM)
    bf16 = resolve_precision(config) == "bf16-mixed"
    note = "bfloat16" if bf16 else "float32"
    answers = []
    for batch in BATCHES:
        steps = max(4, IMAGES_A_ROUND // batch)
        work = {
            name: partial(seconds_of_a_step, side, steps, device)
            for name, side in sides(model, config.model["channels"], batch, steps, device).items()
        }
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            measurements = interleave(work, ROUNDS, lambda share: tick(share / len(BATCHES)))
        what = f"a sampling step, batch {batch}"
        answers.append(answer(measurements, what, "the bare network", "steps/s", "ours", "bare", LIMIT, note))
        of_1000 = {name: [1000 * seconds / batch for seconds in rounds] for name, rounds in measurements.items()}
        what, target = f"1000-step sampling, batch {batch}", SAMPLER_TARGET[device.type]
        answers += [
            answer(of_1000, what, rival, "images/s", "ours", side, target, note) for side, rival in RIVALS.items()
        ]
    return answers
