"""What the processes of one job do together: work for all on the first, work of each, an error of one for all."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def world_size() -> int:
    """Processes in the job; 1 outside a process group, and before torch is imported."""
    dist = sys.modules.get("torch.distributed")
    return dist.get_world_size() if dist and dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process among them, from 0 on."""
    return sys.modules["torch.distributed"].get_rank() if world_size() > 1 else 0


def on_first(work: Callable[[], T]) -> T:
    """What `work` returns on the first rank, on every rank; its error is raised on every rank, so that none waits."""
    if world_size() == 1:
        return work()
    import torch.distributed as dist

    outcome = [attempt(work) if rank() == 0 else None]
    dist.broadcast_object_list(outcome)
    return result(outcome[0])


def on_each(work: Callable[[], T]) -> list[T]:
    """What `work` returned on each rank, on every rank; the lowest rank's error is raised on every rank."""
    if world_size() == 1:
        return [work()]
    import torch.distributed as dist

    outcomes: list[Any] = [None] * world_size()
    dist.all_gather_object(outcomes, attempt(work))
    return [result(outcome) for outcome in outcomes]


def in_turn(work: Callable[[], T]) -> T:
    """What `work` returns on this rank; the others begin when the first is done, and find what it has cached."""
    outcomes = [attempt(work)] if rank() == 0 else []
    on_first(lambda: checked(outcomes))
    return result(outcomes[0] if outcomes else attempt(work))


def gathered(work: Callable[[], T]) -> list[T]:
    """`on_each` for the first rank alone, which spares the others what may be large: they get an empty list."""
    if world_size() == 1:
        return [work()]
    import torch.distributed as dist

    outcomes: list[Any] = [None] * world_size() if rank() == 0 else []
    dist.gather_object(attempt(work), outcomes or None)
    on_first(lambda: checked(outcomes))
    return outcomes


def checked(outcomes: list[Any]) -> None:
    """Raise the first exception among them."""
    for outcome in outcomes:
        result(outcome)


def attempt(work: Callable[[], Any]) -> Any:
    """What `work` returns, or the exception that it raises."""
    try:
        return work()
    except Exception as error:
        return error


def result(outcome: Any) -> Any:
    """What `attempt` got, raised if it is an exception."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
