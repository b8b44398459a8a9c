"""README, docs/, CONTRIBUTING and CHANGELOG show the published results, link to what exists, and name real commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = {document.relative_to(ROOT).as_posix(): document.read_text() for document in DOCUMENTS}
MANUAL = "\n".join(text for name, text in TEXTS.items() if name not in ("CONTRIBUTING.md", "CHANGELOG.md"))
GENERATE = [sys.executable, str(ROOT / "docs" / "generate.py")]
INDENTED = re.findall(r"^    .*\bbench(?:\.cli)? ([a-z][^#\n]*)", MANUAL, re.MULTILINE)
INLINE = re.findall(r"`bench\s([a-z][^`]*)`", MANUAL)
COMMANDS = sorted({" ".join(words.split()) for words in INDENTED + INLINE})
TRAININGS = [words.removeprefix("train ") for words in COMMANDS if words.startswith("train ")]


def prose(text: str) -> str:
    """A document without its code."""
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub and the website name them."""
    headings = re.findall(r"^#+ (.*)", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def dead_links(document: Path, text: str) -> list[str]:
    """The relative links and pictures of a document that lead to no file, or to no heading of it."""
    dead = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(text)):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        if not file.is_file() or (anchor and anchor not in anchors(file.read_text())):
            dead.append(target)
    return dead


@pytest.mark.parametrize("name", TEXTS)
def test_every_relative_link_leads_to_a_file_and_a_heading(name: str) -> None:
    assert dead_links(ROOT / name, TEXTS[name]) == []


def test_a_dead_link_and_a_dead_anchor_are_found(tmp_path: Path) -> None:
    text = "# A b, c\n[here](#a-b-c) [gone](gone.md) [nowhere](#nowhere) [web](https://example.org) `[code](code.md)`\n"
    (tmp_path / "a.md").write_text(text)
    assert dead_links(tmp_path / "a.md", text) == ["gone.md", "#nowhere"]


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_of_the_code_that_a_document_names_exists(name: str) -> None:
    files = set(re.findall(r"`((?:bench|tests)/[\w/]+(?:\.\w+|/))`", TEXTS[name]))
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


def test_generated_blocks_are_what_the_published_files_give() -> None:
    """Where this fails: `make docs`."""
    check = subprocess.run([*GENERATE, "--check", "--diff"], capture_output=True, text=True, cwd=ROOT)
    assert check.returncode == 0, check.stdout + check.stderr


def test_readme_can_be_read_at_once() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8192


@pytest.mark.parametrize("words", TRAININGS)
def test_every_training_that_a_document_shows_is_a_valid_one(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings are checked before the results folder is, so its mistake is the only one where the rest is right."""
    overrides = [word for word in words.split() if not word.startswith("results=")]
    assert main(["train", *overrides, "results=/dev/null"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("bench: results=/dev/null")


def test_every_command_that_a_document_shows_exists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = set(re.findall(r"^    (\w+)\s", capsys.readouterr().out, re.MULTILINE))
    assert listed
    assert {words.split()[0] for words in COMMANDS} <= listed
    assert len(TRAININGS) >= 7
