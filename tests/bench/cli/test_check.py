"""`bench check` says of each promise whether it is kept, and its exit status is whether all are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.runs import contract
from tests.projects import DATA, FILES, MODEL, write_project


@pytest.mark.parametrize("kept", [True, False])
def test_a_line_a_check_and_an_exit_status(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write_project(tmp_path))
    titles = list(contract.CHECKS)[:3]
    monkeypatch.setattr(contract, "CHECKS", {title: contract.CHECKS[title] for title in titles})
    if not kept:
        Path("models/factors.py").write_text(FILES["models/factors.py"].replace("    @sampling\n", ""))
    assert main(["check", MODEL, f"data={DATA}"]) == (0 if kept else 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line[6:].split(":")[0] for line in lines[:-1]] == titles
    assert [line.startswith("ok") for line in lines[:-1]] == ([True] * 3 if kept else [True, False, True])
    assert lines[-1] == ("probabilistic_pca keeps the contract" if kept else "1 of 3 checks failed")


def test_what_is_no_model_is_refused(refusal: Callable[[str], str]) -> None:
    assert "model=./none.py:Mine: no file" in refusal("check ./none.py:Mine")
    assert "model=vea: unknown (did you mean vae?)" in refusal("check vea")
