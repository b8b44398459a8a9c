"""What the tests of the commands share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """A function: a command that must end with status 2 and write nothing -> its message, as one line."""

    def refused(words: str) -> str:
        monkeypatch.chdir(tmp_path)
        assert main(words.split(" ")) == 2
        assert list(tmp_path.iterdir()) == []
        return " ".join(capsys.readouterr().err.split())

    return refused
