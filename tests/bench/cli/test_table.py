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


def test_records_of_several_folders_join_one_table_that_is_written_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = lecture()
    for number, run in enumerate(runs):
        write(run, tmp_path / ("a" if number % 2 or run.family == "data" else "b"))
        if run.family == "data":  # both have real images, measured with other times
            write(run.model_copy(update={"evaluate_seconds": 9.0}), tmp_path / "b")
        write(run, tmp_path / "all")
    assert main(["table", f"results={tmp_path / 'all'}"]) == 0
    words = ["table", f"results={tmp_path / 'a'}", "--with", str(tmp_path / "b")]
    capsys.readouterr()
    before = sorted(tmp_path.rglob("*"))
    assert main(words) == 0
    assert "--out=DIR writes its files" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert main([*words, "--out", str(tmp_path / "joined")]) == 0
    for name in ("TABLE.md", "TABLE.csv"):
        assert sorted((tmp_path / "joined" / name).read_text().splitlines()) == sorted(
            (tmp_path / "all" / name).read_text().splitlines()
        )


def test_folders_that_cannot_be_joined_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = record("vae", "autoregressive-vae", 0, {"default": figures(3.0, 0.9, 0.01)})
    other = record("vae", "autoregressive-vae", 0, {"default": figures(4.0, 0.9, 0.01)})
    write(first, tmp_path / "a")
    write(other, tmp_path / "b")
    for words, said in {
        ("--with", str(tmp_path / "b")): "one run with different content; leave one of the folders out",
        ("--with", str(tmp_path / "none")): "holds no records; name a results folder",
        ("--with", str(tmp_path / "b"), "--check"): "--with: --check and --against compare the table of one folder",
        ("--out", str(tmp_path / "c")): "--out is for --with",
    }.items():
        assert main(["table", f"results={tmp_path / 'a'}", *words]) == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "c").exists()
