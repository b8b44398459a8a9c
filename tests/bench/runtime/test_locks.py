"""A lock is held by one process at a time, waited for, and free again when its holder has ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.runtime import locks
from bench.runtime.locks import exclusive, is_held, lock, try_acquire

HOLDER = """
import sys
from pathlib import Path
from bench.runtime.locks import exclusive
with exclusive(Path(sys.argv[1]), "a"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_is_held_for_the_block_and_free_after_it_also_after_an_error(tmp_path: Path) -> None:
    assert not is_held(tmp_path, "a"), "before anything was locked"
    other = lock(tmp_path, "b")

    def fail() -> None:
        with exclusive(tmp_path, "a"):
            assert not try_acquire(lock(tmp_path, "a"))
            assert try_acquire(other), "another name is another lock"
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    other.release()
    assert not is_held(tmp_path, "a")


def test_a_lock_of_another_process_is_waited_for_until_that_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(tmp_path, "a")
        looks: list[float] = []

        def ended(seconds: float) -> None:
            looks.append(seconds)
            holder.kill()
            holder.wait()

        monkeypatch.setattr("bench.runtime.locks.time.sleep", ended)
        with exclusive(tmp_path, "a"):
            assert looks == [locks.SECONDS_BETWEEN_LOOKS]
    said = " ".join(capsys.readouterr().err.split())
    assert said == f"a: another process is working on it in {tmp_path}; waiting until it ends"
