"""What a user is told when a command ends early, and the exit status that says so to a script."""

import errno

import torch.distributed as dist

from bench.callbacks import Diverged
from bench.evaluation import EvaluationError, ranks
from bench.fit import Interrupted
from bench.progress import console
from bench.records import RecordError
from bench.schema import ConfigError
from bench.selection import TableError
from datamodules import DataError

MISTAKES = (ConfigError, DataError, Diverged, EvaluationError, RecordError, TableError)
DISK = {  # what a user can mend
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
LOST = ("gloo", "NCCL", "Connection", "Socket")  # words of the backends about a rank that is gone


def explain(error: Exception) -> int:
    """Say it in one sentence: 2 for a user's mistake, 1 for a lost rank, 130 for a stop; our own faults are raised."""
    if isinstance(error, Interrupted):
        console.print(f"[yellow]{error}[/]")
        return 130
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
