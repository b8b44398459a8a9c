"""How much memory do training and evaluating take? The peak of a whole process for each side, one after another.

A process is this module with the side's name: it imports what the side needs, works, and ends; what counts is the most
memory that it had resident, in 2^20 bytes, as the kernel keeps it. Ours has Lightning in it, others' have not, and get
images of noise, since reading the data set would bring it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.speed.answers import Answer, Tick

BATCHES = 20  # of training
# what is asked, our side, and theirs
CONTESTS = (
    ("peak memory, training ddpm", "ddpm", ("diffusers", "denoising_diffusion")),
    ("peak memory, training vae", "vae", ("pythae-vae",)),
    ("peak memory, training vqvae, less its prior", "vqvae", ("pythae-vqvae",)),
    ("peak memory, evaluating 10,000 images", "evaluating", ("torch-fidelity", "prdc")),
)


def train_ours(what: str) -> None:
    from bench.config.load import load
    from bench.runs.build import build_data, build_model
    from bench.runtime.allocator import keep_freed
    from bench.speed.training import AUTOENCODERS
    from bench.training.fit import build_trainer

    keep_freed()
    words = AUTOENCODERS[what][1] if what in AUTOENCODERS else [f"model={what}"]
    (config,) = load(["preset=quick", "trainer.accelerator=cpu", *words])
    config.train.images = BATCHES * config.train.batch
    data = build_data(config)
    model = build_model(config, data.image_shape)
    with tempfile.TemporaryDirectory() as folder:
        build_trainer(config, model, Path(folder)).fit(model, datamodule=data)


def without_lightning() -> None:
    """Let `models.networks` be imported without the rest of `models`, which brings Lightning: no cost of others."""
    package = ModuleType("models")
    package.__path__ = [str(Path(__file__).parents[2] / "models")]
    sys.modules["models"] = package


def train_theirs(what: str) -> None:
    import torch

    without_lightning()
    images = torch.randint(256, (10_000, 1, 28, 28), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what == "diffusers":
            from bench.speed.peers.diffusers import Diffusers

            rival: Any = Diffusers(images, [32, 64], 64, torch.device("cpu"), bf16=False)
        elif what == "denoising_diffusion":
            from bench.speed.peers.denoising_diffusion import DenoisingDiffusion

            rival = DenoisingDiffusion(images, folder, 64, 1, 50, bf16=False)
        elif what == "pythae-vae":
            from bench.speed.peers.pythae import Pythae
            from models.networks.autoencoder import ConvDecoder, ConvEncoder

            rival = Pythae(images, ConvEncoder((1, 28, 28), 32), ConvDecoder((1, 28, 28), 16), 32, folder, 16)
        else:
            from bench.speed.peers.pythae import Pythae
            from models.networks.grid_autoencoder import GridDecoder, GridEncoder

            encoder, decoder = GridEncoder(1, 16, 64, blocks=2), GridDecoder((1, 28, 28), 16, 64, blocks=2)
            rival = Pythae(images, encoder, decoder, 64, folder)
        batch = 32 if what == "pythae-vae" else 64
        seen = 0
        while seen < BATCHES * batch:
            seen += rival.turn(1, 0.0)
    assert "lightning" not in sys.modules


def evaluate(what: str) -> None:
    from bench.evaluation.features.registry import load_extractor
    from bench.runtime.allocator import keep_freed
    from bench.speed import evaluation

    extractor = load_extractor("mnist-cnn")
    if what == "evaluating":
        keep_freed()
        real, generated = evaluation.two_sets(evaluation.IMAGES)
        evaluation.ours(extractor(generated), extractor(real))
        return
    import torch

    real, generated = torch.randint(256, (2, evaluation.IMAGES, 1, 28, 28), dtype=torch.uint8)
    if what == "torch-fidelity":
        evaluation.by_torch_fidelity(generated, real, extractor)
    else:
        evaluation.by_prdc(extractor(generated), extractor(real))
    assert "lightning" not in sys.modules


SIDES: dict[str, Callable[[], None]] = {
    **{name: partial(train_ours, name) for name in ("ddpm", "vae", "vqvae")},
    **{
        name: partial(train_theirs, name) for name in ("diffusers", "denoising_diffusion", "pythae-vae", "pythae-vqvae")
    },
    **{name: partial(evaluate, name) for name in ("evaluating", "torch-fidelity", "prdc")},
}


def peak(side: str) -> float:
    """Of a process that does nothing but this side's work, in 2^20 bytes."""
    done = subprocess.run([sys.executable, "-m", "bench.speed.memory", side], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{side}: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout.splitlines()[-1]) / 2**10


def measure(tick: Tick) -> list[Answer]:
    """An answer for each contest, against the rival that needs least."""
    share = 1 / len(SIDES)
    answers = []
    for what, side, rivals in CONTESTS:
        peaks = {}
        for name in (side, *rivals):
            peaks[name] = peak(name)
            tick(share)
        best = min(rivals, key=lambda name: peaks[name])
        others = ", ".join(f"{name} {peaks[name]:,.0f}" for name in rivals if name != best)
        answers.append(
            Answer(what, best, "MB", peaks[side], peaks[best], peaks[best] / peaks[side], target=1.0, note=others)
        )
    return answers


if __name__ == "__main__":
    SIDES[sys.argv[1]]()
    # not ru_maxrss, which a process takes over from the one that started it
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(line.split()[1])
