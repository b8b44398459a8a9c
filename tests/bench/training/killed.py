"""Trainings in processes of their own, killed, stopped and resumed; run once by test_resume.py, which compares.

python killed.py FOLDER one key=value ...    leaves the results folders FOLDER/whole and killed, of one process
python killed.py FOLDER two key=value ...    leaves FOLDER/two-whole and two-stopped, of two ranks
"""

import errno
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import models.base
from bench.config.load import load
from bench.results.identity import run_id
from bench.runs.build import build_data, build_model, data_spec
from bench.runtime.console import console
from bench.training import callbacks, fit
from models.base import GenerativeModel

Prepare = Callable[[], None]


def train(words: list[str], results: Path, prepare: Prepare) -> None:
    """One training, in this process, after `prepare` has planted what will happen to it."""
    (config,) = load([*words, f"results={results}"])
    DATA.trainer = None
    model = build_model(config, data_spec(DATA))
    prepare()
    fit.train(config, model, DATA, results / "runs" / run_id(config))


def at_images(count: int, number: signal.Signals) -> Prepare:
    """The process signals itself when the batch begins that brings the images seen to `count`."""

    def prepare() -> None:
        start = GenerativeModel.on_train_batch_start

        def signalled(self: GenerativeModel, batch: Any, batch_idx: int) -> None:
            start(self, batch, batch_idx)
            if self.images_seen == count:
                os.kill(os.getpid(), number)

        GenerativeModel.on_train_batch_start = signalled

    return prepare


def in_the_midst_of_writing(name: str) -> Prepare:
    """The process kills itself when what it has written aside would become the file of that name."""

    def prepare() -> None:
        replace = os.replace

        def kill(source: str, target: Path) -> None:
            if Path(target).match(name):
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)

        os.replace = kill  # type: ignore[assignment]

    return prepare


def on_a_full_disk() -> None:
    """No file that this process writes comes to its place."""

    def refuse(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    os.replace = refuse  # type: ignore[assignment]


def undisturbed() -> None:
    pass


def forked(work: Callable[[], None]) -> int:
    """Start `work` in a process of its own."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    except fit.Interrupted:
        status = 130
    except OSError as error:
        status = error.errno or 1
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    """Its exit status, or the signal that ended it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def two_ranks(words: list[str], results: Path, *prepare: Prepare) -> list[int]:
    """The training on two ranks, each after its own `prepare`; how they ended."""
    meeting = results.parent / f"meeting-{os.urandom(4).hex()}"

    def rank(number: int) -> None:
        os.environ |= {"LOCAL_RANK": str(number), "WORLD_SIZE": "2"}
        console.quiet = number > 0
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=number, world_size=2)
        train([*words, "trainer.devices=2"], results, prepare[number])
        dist.destroy_process_group()

    return [ended(pid) for pid in [forked(partial(rank, number)) for number in (0, 1)]]


def kill_one(words: list[str], folder: Path) -> None:
    """A training alone, and one that is killed at each of its worst moments and started again."""
    assert ended(forked(lambda: train(words, folder / "whole", undisturbed))) == 0
    for moment in (
        at_images(40, signal.SIGKILL),
        in_the_midst_of_writing("000000000088.ckpt"),
        at_images(136, signal.SIGKILL),
        in_the_midst_of_writing("final.ckpt"),
        in_the_midst_of_writing("records/*.json"),
    ):
        assert ended(forked(partial(train, words, folder / "killed", moment))) == -signal.SIGKILL
    assert ended(forked(lambda: train(words, folder / "killed", undisturbed))) == 0


def stop_two(words: list[str], folder: Path) -> None:
    """A training on two ranks, one that is stopped and resumed, and one on a full disk."""
    both = undisturbed, undisturbed
    assert two_ranks(words, folder / "two-whole", *both) == [0, 0]
    # between two points of the curves, and one rank only: both go on to the next point, and stop there
    assert two_ranks(words, folder / "two-stopped", undisturbed, at_images(88, signal.SIGTERM)) == [130, 130]
    print("stopped at:", *sorted(file.stem for file in folder.glob("two-stopped/runs/*/checkpoints/*")))
    assert two_ranks(words, folder / "two-stopped", *both) == [0, 0]
    assert two_ranks(words, folder / "two-full", on_a_full_disk, undisturbed) == [errno.ENOSPC, errno.ENOSPC]


if __name__ == "__main__":
    torch.set_num_threads(1)  # no pool of threads that a fork would lose
    place, processes, *settings = sys.argv[1:]
    DATA = build_data(load(settings)[0])
    fit.SECONDS_BETWEEN_CHECKPOINTS = 0
    for module in (models.base, callbacks, fit):
        setattr(module, "LOG_EVERY", 5)  # noqa: B010 - a constant that each of them has imported
    {"one": kill_one, "two": stop_two}[processes](settings, Path(place))
