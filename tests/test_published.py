"""What README and results/published show is what the committed records give."""

import re
from pathlib import Path

import pytest

from bench import render
from bench.records import read_all
from bench.table import build

HOUSE = Path(__file__).resolve().parent.parent
PUBLISHED = HOUSE / "results" / "published"


@pytest.mark.parametrize("folder", [PUBLISHED, PUBLISHED / "grid_25", PUBLISHED / "ring_8"], ids=lambda path: path.name)
def test_the_committed_tables_are_what_the_committed_records_give(folder: Path) -> None:
    table = build(read_all(folder), folder)
    assert (folder / "TABLE.md").read_text() == render.markdown(table)
    assert (folder / "TABLE.csv").read_text() == render.csv_text(table)
    assert (folder / "TABLE.beside.csv").read_text() == render.beside_csv_text(table)
    assert (folder / "TABLE.json").read_text() == render.json_text(table)
    assert (folder / "TABLE.tex").read_text() == render.latex(table)


@pytest.mark.parametrize("block", ["lecture", "figures", "beside"])
def test_readme_shows_the_committed_tables(block: str) -> None:
    readme = (HOUSE / "README.md").read_text()
    (shown,) = re.findall(rf"<!-- table:{block} -->\n(.*?)\n<!-- /table:{block} -->", readme, re.DOTALL)
    assert shown.strip() in (PUBLISHED / "TABLE.md").read_text()
    assert shown.strip()


def test_readme_names_no_file_that_is_missing() -> None:
    readme = (HOUSE / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (HOUSE / target).exists(), target
