"""An exception that a user can mend ends in one sentence and a status; any other one is raised."""

import errno
from importlib import import_module

import pytest

from bench.cli.errors import COLLECTIVES, MISTAKES, STOPS, explain
from bench.training.fit import Interrupted


@pytest.mark.parametrize(("module", "name"), [*MISTAKES.items(), *STOPS.items(), *COLLECTIVES.items()])
def test_every_class_is_where_its_module_is_said_to_be(module: str, name: str) -> None:
    assert issubclass(getattr(import_module(module), name), Exception)


@pytest.mark.parametrize(("module", "name"), MISTAKES.items())
def test_a_mistake_is_one_sentence_and_status_2(module: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(getattr(import_module(module), name)("seed=x: not a number")) == 2
    assert capsys.readouterr().err == "bench: seed=x: not a number\n"


def test_a_full_disk_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(OSError(errno.ENOSPC, "No space left on device", "r/records/a.json")) == 2
    assert capsys.readouterr().err.startswith("bench: r/records/a.json: No space left on device; ")


def test_a_stop_has_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(Interrupted("stopped", 143)) == 143
    assert capsys.readouterr().err == "stopped\n"


def test_a_fault_of_the_program_is_raised() -> None:
    for error in (RuntimeError("Connection closed"), OSError(errno.EIO, "input/output error"), KeyError("a")):
        with pytest.raises(type(error)):
            explain(error)
