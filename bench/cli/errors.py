"""What a user is told when a command ends early, and the exit status that says so to a script."""

import errno

import torch.distributed as dist

from bench.config.schema import ConfigError
from bench.evaluation.errors import EvaluationError
from bench.results.records import RecordError
from bench.results.selection import TableError
from bench.runtime import ranks
from bench.runtime.console import console
from bench.training.callbacks import Diverged
from bench.training.fit import Interrupted
from datamodules.base import DataError

MISTAKES = (ConfigError, DataError, Diverged, EvaluationError, RecordError, TableError)
DISK = {  # what a user can mend
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
LOST = ("gloo", "NCCL", "Connection", "Socket")  # words of the backends about a rank that is gone


def explain(error: Exception) -> int:
    """Say it in one sentence: 2 for a user's mistake, 1 for a lost rank, 130 or 143 for a stop; raise our faults."""
    if isinstance(error, Interrupted):
        console.print(f"[yellow]{error}[/]")
        return error.status
    if isinstance(error, MISTAKES):
        said, status = str(error), 2
    elif isinstance(error, OSError) and error.errno in DISK:
        where = f"{error.filename}: " if error.filename else ""
        said = f"{where}{error.strerror}; what is written is whole, and the same command goes on from there"
        status = 2
    elif ranks.world_size() > 1 and lost_rank(error):
        said, status = "a process of this job is gone; the same command goes on from the last checkpoint", 1
    else:
        raise error
    console.print(f"bench: {said}", style="red", markup=False)
    return status


def lost_rank(error: Exception) -> bool:
    """Whether a collective failed because another rank has ended."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)
    )
