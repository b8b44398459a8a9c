"""`bench table` writes and checks the files of its table, and compares it with that of another folder."""

from pathlib import Path

import pytest

from bench.cli.main import main
from bench.results.records import write
from bench.table.rules import RULES
from tests.bench.records import figures, lecture, record


def test_the_command_writes_nothing_and_says_how_many_came_out_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, shift in (("a", 0.0), ("b", 50.0)):
        for seed in range(3):
            rows = {"default": figures(3.0 + seed + shift, 0.9, 0.01, precision=0.5)}
            write(record("vae", "autoregressive-vae", seed, rows), tmp_path / folder)
    before = sorted(tmp_path.rglob("*"))
    assert main(["table", f"results={tmp_path / 'a'}", "--against", str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    assert "4.00 ±" in said
    assert "54.00 ±" in said
    assert "5 of 6 figures agree with " in " ".join(said.split())
    assert sorted(tmp_path.rglob("*")) == before


def test_what_was_written_is_up_to_date_until_a_record_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = ["table", f"results={tmp_path}"]
    runs = lecture()
    for run in runs:
        write(run, tmp_path)
    assert main(words) == 0
    said = capsys.readouterr()
    assert all(rule.title in said.out for rule in RULES)
    assert f"written: {tmp_path / 'TABLE.md'}" in said.err
    assert main([*words, "--check"]) == 0
    next(iter(runs[0].results.values())).metrics["fid"] += 1
    write(runs[0], tmp_path)
    assert main([*words, "--check"]) == 1
    assert f"{tmp_path / 'TABLE.md'}, line" in capsys.readouterr().err
