"""What README tells people to type is taken by the program."""

import re
from pathlib import Path

import pytest

from bench.config.load import load

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
INDENTED = re.findall(r"^    .*\bbench(?:\.cli)? train ([^#\n]*)", README, re.MULTILINE)
INLINE = [" ".join(said.split()) for said in re.findall(r"`bench train ([^`]*)`", README)]


@pytest.mark.parametrize("overrides", [*INDENTED, *INLINE], ids=str.strip)
def test_every_training_that_readme_shows_is_a_valid_one(overrides: str) -> None:
    assert load([one for one in overrides.split() if not one.startswith("results=")])


def test_no_way_of_starting_a_training_is_left_out() -> None:
    assert len(INDENTED) >= 7
    assert {"trainer.num_nodes=2" in one for one in INDENTED} == {True, False}
    assert any("data=grid_25" in one for one in INLINE)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    file = Path(__file__).resolve().parent.parent / path
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)", README if not path else file.read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
