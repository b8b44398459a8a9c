"""What the tests of the page share: folders of records, the page as a parsed document, a browser."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench.report.page import render

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Node:
    """An element: what it is called, its attributes, what stands in it."""

    tag: str
    attributes: dict[str, str]
    children: list["Node | str"] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list["Node"]:
        """The elements below of a tag whose attributes are these; class_ and data_x for class and data-x."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Node):
                fits = all(
                    value in child.attributes.get(name, "").split()
                    if name == "class"
                    else child.attributes.get(name) == value
                    for name, value in wanted.items()
                )
                found += [child] if child.tag == tag and fits else []
                found += child.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join("".join(parts).split())


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> where <{self.open[-1].tag}> is open"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(text: str) -> Node:
    reader = Reader()
    reader.feed(text)
    assert len(reader.open) == 1  # every element is closed
    return reader.open[0]


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Node]:
    return read


@pytest.fixture
def results(example_results: Path, tmp_path: Path) -> Path:
    """A copy of these records and pictures that a test may change."""
    return Path(shutil.copytree(example_results, tmp_path / "results"))


@pytest.fixture
def change(results: Path) -> Callable[..., str]:
    """A function that writes a changed copy of the first record of such a name, and returns its run id."""

    def changed(pattern: str, run_id: str, edit: Callable[[dict[str, Any]], None], folder: str = ".") -> str:
        file = min((results / folder / "records").glob(pattern))
        record = json.loads(file.read_text())
        record["run_id"] = run_id
        edit(record)
        (file.parent / f"{run_id}.json").write_text(json.dumps(record))
        return run_id

    return changed


@pytest.fixture(scope="session")
def page_file(example_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of these records."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(example_results))
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; for one module only, because Playwright's event loop must not run under other tests."""
    program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs a browser, and there is none of {', '.join(CHROMIUM)} on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens an address; whatever a page says to its console fails the test at its end."""
    contexts, said = [], []

    def opened(address: str, width: int = 1280, height: int = 900, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
