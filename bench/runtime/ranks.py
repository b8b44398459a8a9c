"""Share work and errors among the processes of one job: work on the first rank, on each, or in turn."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def world_size() -> int:
    """Return the number of processes in the job; 1 outside a process group, and before torch is imported."""
    dist = sys.modules.get("torch.distributed")
    return dist.get_world_size() if dist and dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process in the job, from 0 on."""
    return sys.modules["torch.distributed"].get_rank() if world_size() > 1 else 0


def on_first(work: Callable[[], T]) -> T:
    """Run `work` on the first rank; every rank returns its value or raises its error, so that none waits."""
    if world_size() == 1:
        return work()
    import torch.distributed as dist

    outcome = [attempt(work) if rank() == 0 else None]
    dist.broadcast_object_list(outcome)
    return result(outcome[0])


def on_each(work: Callable[[], T]) -> list[T]:
    """Run `work` on each rank; every rank returns all values or raises the lowest rank's error."""
    if world_size() == 1:
        return [work()]
    import torch.distributed as dist

    outcomes: list[Any] = [None] * world_size()
    dist.all_gather_object(outcomes, attempt(work))
    return [result(outcome) for outcome in outcomes]


def in_turn(work: Callable[[], T]) -> T:
    """Run `work` on each rank and return its value; the others begin after the first, and use what it has cached."""
    outcomes = [attempt(work)] if rank() == 0 else []
    on_first(lambda: raise_first_error(outcomes))
    return result(outcomes[0] if outcomes else attempt(work))


def gather_on_first(work: Callable[[], T]) -> list[T]:
    """Run `work` on each rank; the first returns all values, which may be large, and the others an empty list."""
    if world_size() == 1:
        return [work()]
    import torch.distributed as dist

    outcomes: list[Any] = [None] * world_size() if rank() == 0 else []
    dist.gather_object(attempt(work), outcomes or None)
    on_first(lambda: raise_first_error(outcomes))
    return outcomes


def raise_first_error(outcomes: list[Any]) -> None:
    """Raise the first exception among the outcomes of `attempt`, if there is one."""
    for outcome in outcomes:
        result(outcome)


def attempt(work: Callable[[], Any]) -> Any:
    """Return the value of `work`, or the exception that it raises."""
    try:
        return work()
    except Exception as error:
        return error


def result(outcome: Any) -> Any:
    """Return an outcome of `attempt`; raise it if it is an exception."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
