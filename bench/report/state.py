"""The current state of a served page: the page of the newest records, and the running trainings."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.evaluation.errors import EvaluationError
from bench.plots.panel import Panel
from bench.report import curves
from bench.report.collect import Collection, folders
from bench.report.page import render, render_collection, templates
from bench.results.records import RecordError
from bench.results.selection import TableError
from bench.results.status import Running, running
from bench.runtime.console import clock
from bench.runtime.files import visible

INPUTS = (("records", "*.json"), ("failures", "*.json"), ("pictures", "*/*.png"))
TROUBLE = (EvaluationError, OSError, RecordError, TableError)  # errors of records that may be complete soon


@dataclass(frozen=True)
class Now:
    """A running training in the form of the page."""

    run_id: str
    stage: str
    done: int
    total: int
    unit: str
    left: str | None
    panels: list[Panel]


class State:
    """The page of one results folder, rendered again only when one of its input files has changed."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.lock = threading.Lock()
        self.version = self.text = ""

    def page(self) -> str:
        """Return the newest page; while no records can be shown, a page that says so."""
        with self.lock:
            version = fingerprint(self.results)
            if version != self.version:
                self.text = self.render_version(version)
                self.version = version
            return self.text

    def render_version(self, version: str) -> str:
        try:
            return render(self.results, version)
        except TROUBLE as error:
            return render_collection(Collection([], [str(error)]), version)

    def now(self) -> dict[str, str]:
        """Return the version of the newest page and, as HTML, the running trainings."""
        try:
            runs = [describe_run(run) for folder in places(self.results) for run in running(folder)]
            sentence = ""
        except OSError as error:
            runs, sentence = [], f"The running trainings cannot be read: {error.strerror}"
        words = {"runs": runs, "sentence": sentence}
        html = templates().get_template("running.html.j2").render(words)
        return {"version": fingerprint(self.results), "now": html}


def places(results: Path) -> list[Path]:
    """Return the folders where trainings may run: the folder itself, even without records, and those below it."""
    return list(dict.fromkeys([results, *folders(results)]))


def describe_run(run: Running) -> Now:
    left = None if run.left is None else clock(run.left)
    name = str(run.config.get("model", {}).get("name", run.run_id))
    curves_so_far = [("so far", run.curves)] if run.curves.get("images_seen") else []
    run_panels = (
        curves.learning_panel(name, "", name_of_curve, curves_so_far)
        for name_of_curve in curves.logged_names([run_curves for _, run_curves in curves_so_far])[:1]
    )
    return Now(run.run_id, run.stage, run.done, run.total, run.unit, left, [panel for panel in run_panels if panel])


def fingerprint(results: Path) -> str:
    """Return 12 digits that change with any input file of the page."""
    digest = hashlib.sha256()
    for line in sorted(files(results)):
        digest.update(line.encode())
    return digest.hexdigest()[:12]


def files(results: Path) -> Iterator[str]:
    """Yield name, time and size of each input file; skip one that is deleted meanwhile."""
    for folder in folders(results):
        for part, pattern in INPUTS:
            for file in visible(folder / part, pattern):
                try:
                    status = file.stat()
                except FileNotFoundError:
                    continue
                yield f"{file} {status.st_mtime_ns} {status.st_size}\n"
