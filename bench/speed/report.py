"""Write the answers of `bench speed` as JSON and Markdown, and print them as tables."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from bench.evaluation.timing import hardware
from bench.results import records
from bench.runtime.files import write_text
from bench.runtime.provenance import code_version, library_versions
from bench.speed.answers import Answer

JSON, MARKDOWN = "SPEED.json", "SPEED.md"
PEERS = ("diffusers", "denoising-diffusion-pytorch", "pythae", "torch-fidelity", "prdc", "pytorch-fid", "torchvision")
HEAD = ["what", "beside", "unit", "ours", "theirs", "ratio", "middle half", "target", "note"]
MARKS = {True: "✓", False: "×", None: ""}
Chapter = dict[str, Any]  # one question's answers, hardware, libraries, code and time


def chapter(answers_of_question: Sequence[Answer]) -> Chapter:
    """Return the chapter of a measurement that ended now on this machine."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {
        "answers": [dataclasses.asdict(item) for item in answers_of_question],
        "hardware": hardware(device),
        "libraries": {**library_versions(), **{name: number for name in PEERS if (number := installed(name))}},
        "code": code_version(),
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def installed(name: str) -> str | None:
    """Return a package's version, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read(folder: Path) -> dict[str, Chapter]:
    """Read the chapters of a results folder, by question; RecordError if the file is damaged."""
    file = folder / JSON
    if not file.exists():
        return {}
    try:
        chapters: dict[str, Chapter] = json.loads(file.read_text())
        for item in chapters.values():
            answers(item)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise records.RecordError(f"{file}: not what `bench speed` writes ({error}); move it away") from None
    return chapters


def answers(chapter: Chapter) -> list[Answer]:
    return [Answer(**item) for item in chapter["answers"]]


def write(chapters: Mapping[str, Chapter], folder: Path) -> None:
    """Write both files, each atomically."""
    write_text(folder / JSON, json.dumps(chapters, indent=1) + "\n")
    write_text(folder / MARKDOWN, markdown(chapters))


def cells(item: Answer) -> list[str]:
    """Return a line of the table under HEAD."""
    middle = "" if item.low is None or item.high is None else f"{figure(item.low)}–{figure(item.high)}"
    target = "" if item.target is None else f"{MARKS[item.met]} {item.target:.3g}"
    values = [figure(item.ours), figure(item.theirs), figure(item.ratio)]
    return [item.what, item.against, item.unit, *values, middle, target, item.note]


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(chapters: Mapping[str, Chapter]) -> str:
    """Return a table of all answers, and where each was measured."""
    lines = grid(HEAD, [cells(item) for part in chapters.values() for item in answers(part)])
    places: dict[str, list[str]] = {}
    for name, part in chapters.items():
        places.setdefault(place(part), []).append(name)
    lines += ["", *(f"{', '.join(names)}: {where}." for where, names in places.items())]
    return "\n".join(lines) + "\n"


def place(chapter: Chapter) -> str:
    """Describe machine, libraries and commit."""
    machine, code = chapter["hardware"], chapter["code"]
    device = machine["gpu"] or f"{machine['cpu']}, {machine['threads']} threads"
    libraries = ", ".join(f"{name} {number}" for name, number in chapter["libraries"].items())
    return f"{device}; {libraries}; commit {code['commit'][:12]}{'' if code['clean'] else ' and changes'}"


def grid(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table, numbers aligned to the right."""
    right = {"ours", "theirs", "ratio", "middle half", "target"}
    rule = "|".join("--:" if name in right else ":--" for name in head)
    return [f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]


def show(chapters: Mapping[str, Chapter], console: Console) -> None:
    """Print a table for each question."""
    colours = {True: "green", False: "red", None: "dim"}
    for name, part in chapters.items():
        if found_answers := answers(part):
            table = Table(title=name, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
            for title in HEAD[:-1]:
                words = title in ("what", "beside")  # columns that wrap; digits never do
                side: Literal["left", "right"] = "left" if words or title == "unit" else "right"
                table.add_column(title, justify=side, no_wrap=not words, overflow="fold")
            for item in found_answers:
                *line, target, _ = cells(item)
                table.add_row(*line, f"[{colours[item.met]}]{target}[/]")
            console.print(table)
            for item in found_answers:
                if item.note:
                    console.print(f"  {item.what}, {item.against}: {item.note}", style="dim", markup=False)
    console.print(
        "Ratios: more is better for us; the middle half of the rounds shows the machine's noise.", style="dim"
    )
