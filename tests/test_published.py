"""What README and results/published show is what the committed records give."""

import re
import shutil
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.speed import report
from bench.speed.command import QUESTIONS
from bench.table import render
from bench.table.literature import CHECKED, LINK, SOURCE, literature_grid

HOUSE = Path(__file__).resolve().parent.parent
PUBLISHED = HOUSE / "results" / "published"
FOLDERS = sorted(path.parent for path in PUBLISHED.rglob("TABLE.md"))  # MNIST's own, and one for each other data set


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_committed_tables_are_what_the_committed_records_give(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "--check", f"results={folder}"]) == 0
    assert capsys.readouterr().err == f"{folder}: the table is what the records give\n"


@pytest.mark.parametrize("name", ["TABLE.md", "TABLE.csv", "TABLE.beside.csv", "TABLE.json", "TABLE.tex", "records"])
def test_a_changed_digit_is_found_and_named_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(PUBLISHED, tmp_path / "published"))
    changed = next((folder / "records").glob("vqvae-*")) if name == "records" else folder / name
    head, _, rest = changed.read_text().rpartition("9")
    doubled = re.sub(r'"fid": ([\d.]+)', lambda found: f'"fid": {2 * float(found[1])}', changed.read_text())
    changed.write_text(f"{head}8{rest}" if name != "records" else doubled)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert main(["table", "--check", f"results={folder}"]) == 1
    said = capsys.readouterr().err
    if name == "records":  # all files show it
        assert [part in said for part in ("TABLE.md, line", "TABLE.csv, line", "TABLE.json, line")] == [True] * 3
    else:
        line = head.count("\n") + 1
        assert said.startswith(f"{changed}, line {line}: has `")
        assert said.count("\n") == 1
        (folder / name).unlink()
        assert main(["table", "--check", f"results={folder}"]) == 1
        assert capsys.readouterr().err == f"{folder / name}: missing\n"
        changed.write_bytes(before[changed])
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_the_committed_page_is_what_the_committed_records_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--check", f"results={PUBLISHED}"]) == 0
    assert capsys.readouterr().err == f"{PUBLISHED / 'report.html'}: the page is what the records give\n"


@pytest.mark.parametrize(
    ("block", "folder"),
    [(name, ".") for name in ("lecture", "nine", "figures", "beside")]
    + [(name, name) for name in ("stacked_mnist", "fashion_mnist")],
)
def test_readme_shows_the_committed_tables(block: str, folder: str) -> None:
    readme = (HOUSE / "README.md").read_text()
    (shown,) = re.findall(rf"<!-- table:{block} -->\n(.*?)\n<!-- /table:{block} -->", readme, re.DOTALL)
    assert shown.strip() in (PUBLISHED / folder / "TABLE.md").read_text()
    assert shown.strip()


def test_readme_shows_the_published_figures_of_others_as_they_are_kept() -> None:
    readme = (HOUSE / "README.md").read_text()
    (shown,) = re.findall(r"<!-- table:literature -->\n(.*?)\n<!-- /table:literature -->", readme, re.DOTALL)
    assert shown == render.markdown_grid(literature_grid(), "--:")
    words = " ".join(readme.split())
    for said in (CHECKED, SOURCE, LINK):
        assert said in words


def test_readme_shows_the_committed_speeds() -> None:
    chapters = report.read(PUBLISHED)
    made = report.markdown(chapters)
    assert (PUBLISHED / report.MARKDOWN).read_text() == made
    (shown,) = re.findall(
        r"<!-- table:speed -->\n(.*?)\n<!-- /table:speed -->", (HOUSE / "README.md").read_text(), re.DOTALL
    )
    assert shown.strip() == made.strip()
    assert set(chapters) == set(QUESTIONS)
