"""`bench selftest --study NAME`: repeat a simulation behind a claim of docs/ with its seed, and write its figures.

A study is a file of bench/selftest/studies/ with a function `study() -> Study`. Its results stand in
results/studies/NAME.json (the figures), NAME.md (its tables) and NAME.png (its picture, where it has one).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from rich.console import Console

from bench.config.schema import check_name
from bench.results.layout import ResultsFolder
from bench.runtime.files import write_bytes, write_text
from bench.runtime.provenance import code_version
from bench.selftest import studies
from bench.table.render import markdown_grid
from bench.table.terminal import text_table
from bench.table.text import Grid


@dataclass(frozen=True)
class Study:
    """The results of a simulation.

    about: one paragraph: what was simulated, from which truth, how often, and how to read the figures.
    grids: titled tables of text, each with a line of headings first.
    figures: the numbers behind the tables, as JSON can hold them.
    draw: returns the bytes of a PNG of them; None where the study has no picture.
    """

    about: str
    seed: int
    grids: list[tuple[str, Grid]]
    figures: dict[str, Any] = field(default_factory=dict)
    draw: Callable[[], bytes] | None = None


def names() -> list[str]:
    """Return the names of the studies."""
    return sorted(module.name for module in iter_modules(studies.__path__))


def run_study(name: str, results: Path) -> None:
    """Run one study, write its files below `results`, print its tables; ConfigError for an unknown name."""
    check_name("--study", name, names())
    start = time.perf_counter()
    outcome: Study = import_module(f"bench.selftest.studies.{name}").study()
    seconds = time.perf_counter() - start
    folder = ResultsFolder(results).studies
    for file in write(name, outcome, seconds, folder):
        print(f"written: {file}")
    console = Console(highlight=False)
    console.print(outcome.about, style="dim")
    for title, grid in outcome.grids:
        console.print(text_table(title, grid))


def write(name: str, outcome: Study, seconds: float, folder: Path) -> list[Path]:
    """Write NAME.json, NAME.md and, where there is a picture, NAME.png; returns their paths."""
    origin = {"study": name, "seed": outcome.seed, "code": code_version(), "seconds": round(seconds)}
    text = json.dumps(origin | {"figures": outcome.figures}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    tables = "\n\n".join(f"**{title}**\n\n{markdown_grid(grid, '--:')}" for title, grid in outcome.grids)
    command = f"Made by `bench selftest --study {name}` (seed {outcome.seed})."
    files = [folder / f"{name}.json", folder / f"{name}.md"]
    write_text(files[0], text)
    write_text(files[1], f"{outcome.about}\n\n{command}\n\n{tables}\n")
    if outcome.draw:
        files.append(folder / f"{name}.png")
        write_bytes(files[-1], outcome.draw())
    return files
