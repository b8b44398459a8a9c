"""What the tests of the whole pipeline share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from bench.evaluation.features import weights as pretrained
from datamodules import mnist
from datamodules.base import Split
from models import MODELS

TINY = {  # overrides that make a model cheap
    "vae": ["model.width=4", "model.hidden=16"],
    "vqvae": ["model.width=4", "model.codebook_size=8", "model.prior_dim=8", "model.prior_depth=1"],
    "pixel_ar": ["model.patch=7", "model.dim=16", "model.depth=1", "model.heads=2", "model.hidden=8"],
    "ae": ["model.width=4", "model.hidden=16"],
    "dae": ["model.width=4", "model.hidden=16", "samplers=[chain-20]"],
    "gan": ["model.width=4"],
    "ddpm": ["model.channels=[8,8]", "model.T=20", "samplers=[ddim-10]"],
}


@pytest.fixture(scope="session", autouse=True)
def no_extractors_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests find the extractors that ship, whatever `bench extractor` has left on this machine."""
    empty = tmp_path_factory.mktemp("extractors")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pretrained, "cache_folder", lambda: empty)
        yield


@pytest.fixture(scope="session")
def tiny() -> dict[str, list[str]]:
    """Model -> the overrides that make it cheap, for every model."""
    assert set(TINY) == set(MODELS)
    return TINY


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 600 PNG files, the first of MNIST: data for processes that no monkeypatch reaches."""
    folder = tmp_path_factory.mktemp("digits")
    data = mnist.Mnist()
    data.setup()
    for k in range(600):
        Image.fromarray(data.train_images[k, 0].numpy()).save(folder / f"{k:03}.png")
    return folder


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """MNIST cut to 512 + 256 images, caches in the test's own folder, which is returned and is the working folder."""
    whole = mnist.Mnist.load

    def load(self: mnist.Mnist) -> tuple[Split, Split]:
        train, test = whole(self)
        return Split(train.images[:512], train.labels[:512]), Split(test.images[:256], test.labels[:256])

    monkeypatch.setattr(mnist.Mnist, "load", load)
    monkeypatch.setattr("bench.runs.context.CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path
