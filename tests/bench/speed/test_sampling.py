"""Every side works as many steps as it is told, ours and the others around our network on the same weights."""

import pytest
import torch

from bench.speed.sampling import RIVALS, sides
from models.base import DataSpec
from models.ddpm import DDPM


@pytest.mark.parametrize("side", ["ours", "bare", *RIVALS])
def test_a_side_evaluates_its_network_once_a_step(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = DDPM(DataSpec((1, 8, 8)), channels=[8, 16], T=20).eval()
    passes = []
    model.denoiser.register_forward_hook(lambda *_: passes.append(1))
    work = sides(model, [8, 16], 2, 4, torch.device("cpu"))
    assert set(work) == {"ours", "bare", *RIVALS}
    work[side]()
    assert len(passes) == (0 if side.endswith("_theirs") else 4)
