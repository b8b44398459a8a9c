"""What the tests of the whole pipeline share."""

from pathlib import Path

import pytest

from datamodules import mnist
from datamodules.base import Split


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """MNIST cut to 512 + 256 images, caches in the test's own folder, which is returned and is the working folder."""
    whole = mnist.Mnist.load

    def load(self: mnist.Mnist) -> tuple[Split, Split]:
        train, test = whole(self)
        return Split(train.images[:512], train.labels[:512]), Split(test.images[:256], test.labels[:256])

    monkeypatch.setattr(mnist.Mnist, "load", load)
    monkeypatch.setattr("bench.standard.CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path
