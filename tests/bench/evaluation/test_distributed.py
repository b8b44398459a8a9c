import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

SCRIPT = Path(__file__).parent / "two_ranks.py"
ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gloo jobs are tried on Unix")
def test_two_ranks_give_one_processs_figures_to_the_last_digit(assets: Path, images: Callable[..., Tensor]) -> None:
    folder = assets.parent
    torch.save(images(120, seed=1), folder / "split.pt")
    # One thread for numpy too, which reads this only as it starts.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    assert subprocess.run([sys.executable, str(SCRIPT), str(folder)], env=environment, timeout=240).returncode == 0
    first, second = (json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2))
    assert first == second
    assert first["together"] == first["alone"]
    assert first["flags"][0] == first["flags"][1]
    assert first["refusal"] == second["refusal"] == "25 of 25 samples hold NaN or infinity."  # and neither waits
    assert first["same images"]
    assert first["same pairs"]
