"""What a served page shows at this moment: the page of the newest records, and what is being trained."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.evaluation.errors import EvaluationError
from bench.report import curves
from bench.report.collect import Collected, folders
from bench.report.curves import Panel
from bench.report.page import filled, render, templates
from bench.results.records import RecordError
from bench.results.selection import TableError
from bench.results.status import Running, running
from bench.runtime.console import clock
from bench.runtime.files import visible

SHOWN = (("records", "*.json"), ("failures", "*.json"), ("pictures", "*/*.png"))
TROUBLE = (EvaluationError, OSError, RecordError, TableError)  # a sentence about records that may be right soon


@dataclass(frozen=True)
class Now:
    """A run at work, as the page shows it."""

    run_id: str
    stage: str
    done: int
    total: int
    unit: str
    left: str | None
    panels: list[Panel]


class State:
    """The page of one results folder, made anew only when a file that it is made from has changed."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.lock = threading.Lock()
        self.version = self.text = ""

    def page(self) -> str:
        """The newest page; one that only waits while there are no records, or none that can be shown."""
        with self.lock:
            version = fingerprint(self.results)
            if version != self.version:
                self.text = self.made(version)
                self.version = version
            return self.text

    def made(self, version: str) -> str:
        try:
            return render(self.results, version)
        except TROUBLE as error:
            return filled(Collected([], [str(error)]), version)

    def now(self) -> dict[str, str]:
        """The version of the newest page and, as HTML, what runs at the moment."""
        try:
            each = [shown(one) for folder in places(self.results) for one in running(folder)]
            sentence = ""
        except OSError as error:
            each, sentence = [], f"What runs cannot be read: {error.strerror}"
        words = {"runs": each, "sentence": sentence, "panel_size": (curves.WIDTH, curves.HEIGHT)}
        html = templates().get_template("running.html.j2").render(words)
        return {"version": fingerprint(self.results), "now": html}


def places(results: Path) -> list[Path]:
    """Where runs may be at work: the folder itself, before its first record, and those below it."""
    return list(dict.fromkeys([results, *folders(results)]))


def shown(one: Running) -> Now:
    left = None if one.left is None else clock(one.left)
    name = str(one.config.get("model", {}).get("name", one.run_id))
    seen = [("so far", one.curves)] if one.curves.get("images_seen") else []
    made = (curves.panel(name, "", logged, seen) for logged in curves.logged([kept for _, kept in seen])[:1])
    return Now(one.run_id, one.stage, one.done, one.total, one.unit, left, [panel for panel in made if panel])


def fingerprint(results: Path) -> str:
    """12 digits that change with any file that the page is made from."""
    digest = hashlib.sha256()
    for line in sorted(files(results)):
        digest.update(line.encode())
    return digest.hexdigest()[:12]


def files(results: Path) -> Iterator[str]:
    """Name, time and size of each of those files; one that vanishes meanwhile is left out."""
    for folder in folders(results):
        for part, pattern in SHOWN:
            for file in visible(folder / part, pattern):
                try:
                    told = file.stat()
                except FileNotFoundError:
                    continue
                yield f"{file} {told.st_mtime_ns} {told.st_size}\n"
