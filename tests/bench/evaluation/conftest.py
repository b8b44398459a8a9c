"""A classifier with random weights in place of the trained one, and images with some structure."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.classifier import Classifier
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.features.weights import save_classifier
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet


def blobs(n: int, seed: int, channels: int = 1) -> Tensor:
    """uint8 N x C x 28 x 28: a bright spot anywhere, of any width, over faint noise."""
    g = torch.Generator().manual_seed(seed)
    y, x, width = torch.rand(3, n, channels, 1, 1, generator=g)
    grid = torch.linspace(0, 1, 28)
    square = (grid[:, None] - y) ** 2 + (grid[None, :] - x) ** 2
    spots = torch.exp(-square / (0.01 + 0.1 * width)) + 0.1 * torch.rand(n, channels, 28, 28, generator=g)
    return (spots * 230).to(torch.uint8)


@pytest.fixture(scope="session")
def images() -> Callable[..., Tensor]:
    return blobs


@pytest.fixture(scope="session")
def random_classifier() -> Classifier:
    """Untrained, but with normalisation layers that have seen a batch, so features differ between images."""
    torch.manual_seed(0)
    model = Classifier(1, 10).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # take the statistics of one batch as they are
    with torch.no_grad():
        model(blobs(64, seed=100))
    return model.eval()


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random_classifier: Classifier) -> Path:
    """An assets folder that holds only the random classifier, as mnist-cnn."""
    folder = tmp_path / "assets"
    monkeypatch.setattr(pretrained, "ASSETS", folder)
    save_classifier(random_classifier, folder / "mnist-cnn.pt", data="mnist", accuracy=0.1)
    return folder


@pytest.fixture
def extractor(assets: Path) -> Extractor:
    return load_extractor("mnist-cnn")


@pytest.fixture
def make_protocol() -> Callable[..., Protocol]:
    """A protocol of 60 samples that is true of what they are measured against, with changes."""

    def make(against: ReferenceSet, /, **changes: object) -> Protocol:
        values: dict[str, object] = {"samples": 60, "chunk": 25, "kid_subsets": 5, "kid_subset_size": 30}
        return Protocol.from_dict(
            {
                "data": "mnist",
                "extractor": against.extractor.name,
                "extractor_digest": against.extractor.digest,
                "reference_digest": against.reference.digest,
                "held_out_digest": against.held_out.digest if against.held_out else "",
                "modes": against.modes.name if against.modes else "",
            }
            | values
            | changes
        )

    return make
