"""A worker is `bench` itself in a process that ends when the pipe on its standard input is closed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("words", "status"), [(["list", "samplers"], 0), (["list", "nothing"], 2)])
def test_a_worker_runs_a_command_and_ends_with_its_status(words: list[str], status: int) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "bench.cli.worker", *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    with worker:
        assert worker.wait(60) == status
