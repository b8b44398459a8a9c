"""Two ranks train as one process does with the global batch, every model; and one process notices nothing of it."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models import MODELS
from models.ranks import average, gather, own_share

SCRIPT = Path(__file__).parent / "two_ranks.py"
ROOT = Path(__file__).parents[2]
QUICK = ("vae", "vqvae", "gan")  # a loss alone, codes that all ranks count and restart, and two players
SLOW = tuple(model for model in MODELS if model not in QUICK)
every_model = pytest.mark.parametrize(
    "model", [*QUICK, *(pytest.param(model, marks=pytest.mark.slow) for model in SLOW)]
)
Kept = dict[str, dict[str, Any]]  # case, what the script keeps
Trained = Callable[[str], list[Kept]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A function: a model -> what two ranks and one process by itself kept of its trainings."""
    if not hasattr(os, "fork"):
        pytest.skip("gloo jobs are tried on Unix")

    @functools.cache
    def group(models: tuple[str, ...]) -> list[dict[str, Kept]]:
        """Train all of these at once, since a group's start is slow."""
        folder = tmp_path_factory.mktemp("ranks")
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(SCRIPT), str(folder), *models]
        assert subprocess.run(command, env=environment, timeout=400).returncode == 0
        return [torch.load(folder / f"{name}.pt") for name in ("rank-0", "rank-1", "alone")]

    return lambda model: [kept[model] for kept in group(QUICK if model in QUICK else SLOW)]


@every_model
def test_two_ranks_train_as_one_process_with_the_global_batch(model: str, trained: Trained) -> None:
    """First gradients, all that is logged, weights, buffers and averaged weights after six batches, in float64."""
    first, _, alone = trained(model)
    assert alone
    for case, expected in alone.items():
        kept = first[case]
        assert {value.dtype for value in expected["state"].values() if value.is_floating_point()} == {torch.float64}
        for what in ("gradients", "logged"):
            torch.testing.assert_close(kept[what], expected[what], rtol=1e-11, atol=1e-11)
        for what in ("state", "averages"):
            # Adam divides what rounding leaves of a gradient that is zero by no more than 1e-8
            torch.testing.assert_close(kept[what], expected[what], rtol=1e-8, atol=1e-8)
        assert len(expected["logged"]) == 3
        assert [row["images_seen"] for row in kept["logged"]] == [row["images_seen"] for row in expected["logged"]]


@every_model
def test_both_ranks_hold_the_same_bits(model: str, trained: Trained) -> None:
    first, second, _ = trained(model)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@every_model
def test_all_ranks_random_numbers_are_where_one_process_has_them(model: str, trained: Trained) -> None:
    """After every batch, so that one saved state is every rank's."""
    *ranks, alone = trained(model)
    for case, expected in alone.items():
        for rank in ranks:
            assert len(expected["random"]) == 6
            torch.testing.assert_close(rank[case]["random"], expected["random"], rtol=0, atol=0)


def test_codes_were_restarted_among_what_was_compared(trained: Trained) -> None:
    """Else the VQ-VAE draws nothing after its first batch."""
    _, _, alone = trained("vqvae")
    after_first, *_, after_last = alone["vqvae-restarts"]["random"]
    assert not torch.equal(after_first, after_last)


def test_one_process_draws_what_it_needs_and_exchanges_nothing() -> None:
    rows = torch.randn(3, 2)
    assert own_share(lambda m: rows[:m], 3).data_ptr() == rows.data_ptr()
    assert own_share(lambda m: torch.full((m,), m), 3).tolist() == [3, 3, 3]
    assert gather(rows) is rows
    before = rows.clone()
    average([rows])
    assert torch.equal(rows, before)
