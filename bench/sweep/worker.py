"""What a cell's process does: it takes its share of the machine, and runs `bench train`."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

LAUNCHERS = ("SLURM_", "TORCHELASTIC_")  # a sweep is often started by one, whose ranks its cells' are not


def run(
    words: Sequence[str], environment: Mapping[str, str], cores: Sequence[int], threads: int, folder: Path, log: Path
) -> None:
    """Run `bench train WORDS` in `folder` on these cores, saying all into `log`; ends with its exit status."""
    os.setsid()  # a group of its own, which ranks that it starts belong to
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a sweep in the background was started without one
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(LAUNCHERS)]:
        del os.environ[name]
    os.environ.update(environment)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    limit_threads(threads)

    from bench import cli

    sys.argv = ["bench", "train", *words]  # what Lightning starts further ranks with, as python -m bench.cli
    sys.modules["__main__"] = cli
    try:
        sys.exit(cli.main(sys.argv[1:]))
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out, and W&B ends its runs in one


def limit_threads(threads: int) -> None:
    """The server's libraries were loaded for one thread each; those still to come read the environment."""
    import torch
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def end_with_parent() -> None:
    """Stop, as on Ctrl-C, when the sweep is gone: what nobody looks after must not hold the machine."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.killpg(0, signal.SIGINT)
