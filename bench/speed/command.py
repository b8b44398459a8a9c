"""`bench speed`: measure the answers to questions, and add them to the file of earlier answers."""

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
from bench.speed.answers import Answer

QUESTIONS = {  # file of this folder -> its question
    "startup": "commands from start to end, and training to its first batch, beside importing torch",
    "training": "a training step beside other libraries'",
    "sampling": "a sampling step beside the bare network and other libraries'",
    "roofline": "training and sampling beside the machine's matrix product",
    "memory": "the peak memory of training beside other libraries'",
    "evaluation": "FID, precision, recall and coverage beside torch-fidelity and prdc",
    "shared": "training and sampling beside busy processes",
    "loop": "Lightning's loop beside a bare one",
}
NEEDS = {  # modules of other libraries
    "training": ("diffusers", "denoising_diffusion_pytorch", "pythae"),
    "sampling": ("diffusers", "denoising_diffusion_pytorch"),
    "memory": ("diffusers", "denoising_diffusion_pytorch", "pythae"),
    "evaluation": ("pytorch_fid", "prdc"),
}
UNITS = 1000  # of a question's bar


def speed(words: Sequence[str]) -> None:
    """Answer the named questions, or all, one after another, and write SPEED.json and SPEED.md in results=DIR.

    Raises ConfigError, before anything is measured, for an unknown question and for a missing library.
    """
    picks, changes = split([word for word in words if "=" in word])
    if wrong := [key for key in [*picks, *changes] if key != "results"]:
        raise ConfigError(f"{wrong[0]}: `bench speed` takes questions and results=DIR; see `bench speed --help`")
    questions = [word for word in words if "=" not in word] or list(QUESTIONS)
    for name in questions:
        check_name("question", name, QUESTIONS)
        for module in NEEDS.get(name, ()):
            if find_spec(module) is None:
                raise ConfigError(f"question={name}: {module} is not installed; pip install -e '.[speed]' brings it")
    folder = check_results(Path(changes.get("results", "results")), writes=True)
    chapters = report.read(folder)
    for number, name in enumerate(questions, 1):
        console.print(f"[bold]{name}[/], {number} of {len(questions)}: {QUESTIONS[name]}")
        chapters[name] = report.chapter(measure_question(name))
        report.write(chapters, folder)  # after each question, so that an interruption loses none
    report.show({name: chapters[name] for name in questions}, Console(highlight=False))
    console.print(f"written: {folder / report.JSON}, {folder / report.MARKDOWN}", markup=False)


def measure_question(name: str) -> list[Answer]:
    """Run the measurement of a question's file."""
    done = 0.0
    with Bar(name, UNITS, "‰") as bar:

        def tick(share: float) -> None:
            nonlocal done
            done = min(1.0, done + share)
            bar.advance(round(UNITS * done) - bar.done)

        answers: list[Answer] = import_module(f"bench.speed.{name}").measure(tick)
        return answers
