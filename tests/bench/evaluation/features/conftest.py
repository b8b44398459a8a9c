"""An Inception-v3 of the test, and a machine that has none."""

import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.evaluation.features import weights as pretrained
from tests.bench.evaluation.features.inception import Blank


@pytest.fixture(scope="module")
def blank() -> Blank:
    torch.manual_seed(0)
    return Blank()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without network, hub cache or package."""

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(pretrained, "INCEPTION_PACKAGE", "fid_helper_of_the_test")
    monkeypatch.setattr(urllib.request, "urlopen", offline)
