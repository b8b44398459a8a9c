"""A written page is checked against the records."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main


def test_a_written_page_is_checked_against_the_records(
    results: Path, change: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = results / "report.html"
    assert main(["report", "--check", f"results={results}"]) == 1
    assert capsys.readouterr().err == f"{page}: missing\n"
    assert main(["report", f"results={results}"]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"written: {page} (")
    assert f"open it in a browser: {page.as_uri()}" in said
    written = page.read_bytes()
    assert main(["report", "--check", f"results={results}"]) == 0
    assert capsys.readouterr().err == f"{page}: the page is up to date\n"
    change("gan-*.json", "gan-mnist-0-00000000", lambda record: record.update(images_seen=1))
    assert main(["report", "--check", f"results={results}"]) == 1
    assert "out of date; update it with `bench report" in capsys.readouterr().err
    assert page.read_bytes() == written
