"""What README and results/published show is what the committed records give."""

import re
from pathlib import Path

import pytest

from bench import render
from bench.records import read_all
from bench.table import build

HOUSE = Path(__file__).resolve().parent.parent
PUBLISHED = HOUSE / "results" / "published"


def test_the_committed_tables_are_what_the_committed_records_give() -> None:
    table = build(read_all(PUBLISHED), PUBLISHED)
    assert (PUBLISHED / "TABLE.md").read_text() == render.markdown(table)
    assert (PUBLISHED / "TABLE.csv").read_text() == render.csv_text(table)
    assert (PUBLISHED / "TABLE.beside.csv").read_text() == render.beside_csv_text(table)
    assert (PUBLISHED / "TABLE.json").read_text() == render.json_text(table)
    assert (PUBLISHED / "TABLE.tex").read_text() == render.latex(table)


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
