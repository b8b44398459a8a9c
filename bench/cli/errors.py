"""Map exceptions to a one-line message and an exit status.

The classes are looked up among the modules that are already imported: an error of any other module cannot be at hand,
and a command that only reads must not import torch to report its mistakes.
"""

import errno
import sys

from bench.runtime.console import console

MISTAKES = {  # module -> the exception of it that a user can mend
    "bench.config.schema": "ConfigError",
    "bench.evaluation.errors": "EvaluationError",
    "bench.results.records": "RecordError",
    "bench.results.selection": "TableError",
    "bench.training.callbacks": "Diverged",
    "datamodules.base": "DataError",
}
STOPS = {"bench.training.fit": "Interrupted"}
COLLECTIVES = {"torch.distributed": "DistError"}
DISK = {  # errors that a user can mend
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
LOST = ("gloo", "NCCL", "Connection", "Socket")  # words in the backends' messages about a rank that has ended


def explain(error: Exception) -> int:
    """Print one sentence; return 2 for a user's mistake, 1 for a lost rank, 130 or 143 for a stop; raise the rest."""
    if isinstance(error, imported(STOPS)):
        console.print(f"[yellow]{error}[/]")
        return int(error.status)  # type: ignore[attr-defined]
    if isinstance(error, imported(MISTAKES)):
        message, status = str(error), 2
    elif isinstance(error, OSError) and error.errno in DISK:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror}; every file written so far is complete, and the same command resumes"
        status = 2
    elif lost_rank(error):
        message, status = "a process of this job has ended; the same command resumes from the last checkpoint", 1
    else:
        raise error
    console.print(f"bench: {message}", style="red", markup=False)
    return status


def imported(classes: dict[str, str]) -> tuple[type[Exception], ...]:
    """The classes whose modules this process has imported; classes: module -> name."""
    return tuple(getattr(sys.modules[module], name) for module, name in classes.items() if module in sys.modules)


def lost_rank(error: Exception) -> bool:
    """Whether a collective of several ranks failed because another rank has ended."""
    if "torch.distributed" not in sys.modules:
        return False
    from bench.runtime import ranks

    return ranks.world_size() > 1 and (
        isinstance(error, imported(COLLECTIVES))
        or (isinstance(error, RuntimeError) and any(word in str(error) for word in LOST))
    )
