"""Ranks do work once or each, in turn, and an error of one is an error of all."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from bench.runtime import ranks
from tests.forks import all_succeeded, forked

RANKS = 2


def outcome(work: Callable[[], Any]) -> Any:
    """What the work returns, or the text of its error."""
    result = ranks.attempt(work)
    return str(result) if isinstance(result, Exception) else result


def fail_on(rank: int) -> int:
    if ranks.rank() == rank:
        raise ValueError(f"rank {rank}")
    return ranks.rank()


def cached(file: Path) -> str:
    """Text of a cache, which the first rank takes longer to write than the second one."""
    if not file.exists():
        time.sleep(0.2 if ranks.rank() == 0 else 0)
        file.write_text(f"by rank {ranks.rank()}")
    return file.read_text()


def together(number: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=number, world_size=RANKS)
    try:
        assert (ranks.rank(), ranks.world_size()) == (number, RANKS)
        assert ranks.on_first(lambda: number) == 0
        assert ranks.on_each(lambda: number) == [0, 1]
        assert ranks.gather_on_first(lambda: number) == ([0, 1] if number == 0 else [])
        assert ranks.in_turn(lambda: cached(Path(folder) / "cached")) == "by rank 0"
        for work in (ranks.on_first, ranks.in_turn, ranks.on_each, ranks.gather_on_first):
            assert outcome(partial(work, partial(fail_on, 0))) == "rank 0", work
        for work in (ranks.on_each, ranks.gather_on_first):
            assert outcome(partial(work, partial(fail_on, 1))) == "rank 1", work
        assert ranks.on_first(lambda: fail_on(1)) == 0
    finally:
        dist.destroy_process_group()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="ranks are forked on Unix")
def test_two_ranks_share_results_and_errors(tmp_path: Path) -> None:
    assert all_succeeded([forked(partial(together, number, str(tmp_path))) for number in range(RANKS)])


@pytest.mark.parametrize("work", [ranks.on_first, ranks.in_turn])
def test_one_process_does_the_work_itself(work: Callable[[Callable[[], int]], int]) -> None:
    assert (ranks.world_size(), ranks.rank()) == (1, 0)
    assert work(lambda: 7) == 7
    assert ranks.on_each(lambda: 7) == ranks.gather_on_first(lambda: 7) == [7]
    with pytest.raises(ValueError, match="rank 0"):
        work(lambda: fail_on(0))


def test_an_attempt_keeps_an_error_until_its_result_is_asked_for() -> None:
    kept = ranks.attempt(lambda: fail_on(0))
    ranks.raise_first_error([1, 2])
    with pytest.raises(ValueError, match="rank 0"):
        ranks.raise_first_error([1, kept])
    assert ranks.result(ranks.attempt(lambda: 7)) == 7
