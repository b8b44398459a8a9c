"""The command line explains itself, starts at once, and imports only what the command that was named needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.main import COMMANDS, READERS, command, help_of, main, parse

HOUSE = Path(__file__).resolve().parents[3]
EXAMPLES = [(name, line) for name in COMMANDS for line in command(name).EXAMPLES.strip().splitlines()]
SLOW_IMPORTS = ("torch", "lightning", "pydantic", "rich")


def help_text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_text(capsys).splitlines()
    assert max(map(len, lines)) <= 80
    for name in COMMANDS:
        assert f"    {name:<10} {help_of(name).splitlines()[0]}" in lines
    assert set(COMMANDS) >= READERS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_has_its_text_and_its_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_text(capsys, name)
    assert help_of(name) in text
    assert f"  bench {name}" in text.split("examples:")[1]


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_examples_can_be_typed(name: str, line: str) -> None:
    words = line.split()
    assert words[:2] == ["bench", name]
    assert parse(words[1:]).command == name


@pytest.mark.parametrize("line", [line for _, line in EXAMPLES if "results=results/published" in line])
def test_examples_about_the_published_records_work(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOUSE)
    assert main(line.split()[1:]) == 0


def test_help_imports_no_library_and_of_the_commands_only_the_one_that_is_named() -> None:
    program = (
        "import sys; from bench.cli.main import main\n"
        "try: main(['table', '--help'])\n"
        "except SystemExit: print(*sorted(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    modules = set(output.splitlines()[-1].split())
    assert not modules.intersection(SLOW_IMPORTS)
    assert modules.intersection(f"bench.cli.{name}" for name in COMMANDS) == {"bench.cli.table"}


def test_an_unknown_command_is_answered_with_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["trian"])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert "trian" in message
    assert all(name in message for name in COMMANDS)
