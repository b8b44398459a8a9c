"""`bench report`: write, check or serve all records as one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from bench.config.load import results_of
from bench.report.page import LIMIT, render
from bench.report.server import serve
from bench.runtime.console import console
from bench.runtime.files import write_text
from bench.runtime.locks import exclusive

NAME = "report.html"


def write(overrides: Sequence[str]) -> None:
    """Write results=DIR/report.html, and print its address."""
    results = results_of("report", overrides)
    page, target = render(results), results / NAME
    with exclusive(results, "report"):
        write_text(target, page)
    size = len(page.encode())
    more = f", more than {LIMIT / 1e6:.1f} MB without any picture" if size > LIMIT else ""
    console.print(
        f"written: {target} ({size / 1e6:.1f} MB{more}); open it in a browser: {target.resolve().as_uri()}",
        markup=False,
    )


def check(overrides: Sequence[str]) -> int:
    """Return 0 if results=DIR/report.html is up to date; otherwise print what is wrong, and return 1."""
    results = results_of("report", overrides)
    page, target = render(results), results / NAME
    message = problem(target, page)
    console.print(message or f"{target}: the page is up to date", markup=False)
    return 1 if message else 0


def problem(target: Path, page: str) -> str:
    """Describe what is wrong with a written page; empty if nothing is."""
    if not target.exists():
        return f"{target}: missing"
    if target.read_bytes() == page.encode():
        return ""
    return f"{target}: out of date; update it with `bench report results={target.parent}`"


def look(overrides: Sequence[str], port: int) -> int:
    """Serve the page, live, until Ctrl-C."""
    return serve(results_of("report", overrides), port)
