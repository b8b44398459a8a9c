"""`bench speed`: measures what it is asked, and keeps the answers beside those of earlier ones."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from bench.config.load import split
from bench.config.paths import check_results
from bench.config.schema import ConfigError, check_name
from bench.runtime.console import Bar, console
from bench.speed import report

QUESTIONS = {  # file of this folder -> what it asks
    "training": "a training step beside other libraries'",
    "quality": "seconds of training to a given FID beside other libraries' trainers",
    "sampling": "a sampling step beside the bare network and diffusers' pipeline",
    "loop": "Lightning's loop beside a bare one",
    "pipeline": "making batches beside torchvision's DataLoader",
    "evaluation": "FID, precision, recall and coverage beside torch-fidelity and prdc",
    "memory": "peak memory beside other libraries'",
    "processes": "two processes beside one",
    "growth": "how cost grows with pixels, batch, weights and samples",
}
NEEDS = {  # modules of other libraries
    "training": ("diffusers", "denoising_diffusion_pytorch", "pythae"),
    "quality": ("diffusers", "denoising_diffusion_pytorch"),
    "sampling": ("diffusers",),
    "evaluation": ("pytorch_fid", "prdc"),
    "memory": ("diffusers", "denoising_diffusion_pytorch", "pythae", "prdc"),
}
UNITS = 1000  # of a question's bar


def speed(words: Sequence[str]) -> None:
    """Answer the named questions, or all, one after another, and write SPEED.json and SPEED.md in results=DIR.

    Raises ConfigError, before anything is measured, for a question that there is not and a library that is missing.
    """
    picks, changes = split([word for word in words if "=" in word])
    if wrong := [key for key in [*picks, *changes] if key != "results"]:
        raise ConfigError(f"{wrong[0]}: `bench speed` takes questions and results=DIR; see `bench speed --help`")
    asked = [word for word in words if "=" not in word] or list(QUESTIONS)
    for name in asked:
        check_name("question", name, QUESTIONS)
        for module in NEEDS.get(name, ()):
            if find_spec(module) is None:
                raise ConfigError(f"question={name}: {module} is not installed; pip install -e '.[speed]' brings it")
    folder = check_results(Path(changes.get("results", "results")), writes=True)
    known = report.read(folder)
    for number, name in enumerate(asked, 1):
        console.print(f"[bold]{name}[/], {number} of {len(asked)}: {QUESTIONS[name]}")
        known[name] = report.chapter(measured(name))
        report.write(known, folder)  # each by itself, so that a stop loses none
    report.show({name: known[name] for name in asked}, Console(highlight=False))
    console.print(f"written: {folder / report.JSON}, {folder / report.MARKDOWN}", markup=False)


def measured(name: str) -> list[object]:
    """What the question's file measures here and now."""
    done = 0.0
    with Bar(name, UNITS, "‰") as bar:

        def tick(share: float) -> None:
            nonlocal done
            done = min(1.0, done + share)
            bar.advance(round(UNITS * done) - bar.done)

        found: list[object] = import_module(f"bench.speed.{name}").measure(tick)
        return found
