"""The budget is in whole batches, and `auto` is resolved by what the machine computes fast."""

import pytest
import torch

from bench.config.devices import budget, resolve_precision, sampling_device
from bench.config.load import load


@pytest.mark.parametrize(("images", "whole"), [(1, 64), (64, 64), (65, 128), (640, 640)])
def test_a_budget_is_rounded_up_to_whole_batches(images: int, whole: int) -> None:
    assert budget(load(["model=vae", "train.batch=64", f"train.images={images}"])[0]) == whole


@pytest.mark.parametrize(("fast", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_is_bfloat16_where_the_cpu_has_it(fast: bool, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": fast})
    assert resolve_precision(load(["model=vae", "trainer.accelerator=cpu"])[0]) == precision


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_stated_precision_is_kept(precision: str) -> None:
    assert resolve_precision(load(["model=vae", f"trainer.precision={precision}"])[0]) == precision


def test_a_run_bound_to_the_cpu_is_sampled_there() -> None:
    assert sampling_device(load(["model=vae", "trainer.accelerator=cpu"])[0]) == torch.device("cpu")
