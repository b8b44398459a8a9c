"""MNIST as shipped, and Fashion-MNIST from every place where it may lie."""

import gzip
import hashlib
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch

from datamodules.base import DataError
from datamodules.idx import IdxSet
from datamodules.mnist import FASHION_MNIST, MNIST, FashionMnist, Mnist

Small = tuple[IdxSet, dict[str, bytes]]
Write = Callable[[Path, dict[str, bytes]], None]

ASSETS = Path(str(resources.files("datamodules") / "assets"))


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    data = Mnist()
    data.prepare_data()
    data.setup()
    return data


def test_the_shipped_files_and_their_notice_have_the_published_digests() -> None:
    notice = (ASSETS / "LICENSE.md").read_text()
    for file in MNIST.files:
        assert hashlib.md5((ASSETS / f"{file.name}.gz").read_bytes()).hexdigest() == file.md5_gz
        assert f"| {file.name}.gz |" in notice
        assert file.md5_gz in notice


def test_mnist_has_its_known_counts(mnist: Mnist) -> None:
    # yann.lecun.com/exdb/mnist: 60,000 and 10,000; the counts of each digit as reported widely, e.g. in EMNIST.
    assert mnist.train_labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.image_shape == (1, 28, 28)
    # The mean and the deviation that half of the field normalises with.
    deviation, mean = torch.std_mean(mnist.train_images / 255)
    assert (round(mean.item(), 4), round(deviation.item(), 4)) == (0.1307, 0.3081)


def test_mnist_equals_torchvisions_reading(mnist: Mnist, tmp_path: Path) -> None:
    from torchvision.datasets.mnist import read_image_file, read_label_file

    def unpacked(name: str) -> str:
        (tmp_path / name).write_bytes(gzip.decompress((ASSETS / f"{name}.gz").read_bytes()))
        return str(tmp_path / name)

    assert torch.equal(mnist.train_images[:, 0], read_image_file(unpacked("train-images-idx3-ubyte")))
    assert torch.equal(mnist.train_labels, read_label_file(unpacked("train-labels-idx1-ubyte")))
    assert torch.equal(mnist.test_images[:, 0], read_image_file(unpacked("t10k-images-idx3-ubyte")))
    assert torch.equal(mnist.test_labels, read_label_file(unpacked("t10k-labels-idx1-ubyte")))


def test_the_digest_of_mnist_never_changes(mnist: Mnist) -> None:
    assert mnist.digest("train").startswith("0d4e8b667ff0")
    assert mnist.digest("test").startswith("310a79d81702")


def test_mnist_from_a_root_reads_there_and_nowhere_else(
    small_idx: Small, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, files = small_idx
    monkeypatch.setattr("datamodules.mnist.MNIST", small)
    data = Mnist(root=str(tmp_path))
    with pytest.raises(DataError, match=f"{tmp_path}/MNIST/raw or {tmp_path} .*none of them"):
        data.setup()
    write(tmp_path / "MNIST" / "raw", files)
    data.setup()
    assert len(data.train_images) == 5


def test_the_tables_are_torchvisions() -> None:
    from torchvision.datasets import MNIST as torchvision_mnist
    from torchvision.datasets import FashionMNIST

    for ours, theirs in ((MNIST, torchvision_mnist), (FASHION_MNIST, FashionMNIST)):
        assert {(f"{file.name}.gz", file.md5_gz) for file in ours.files} == set(theirs.resources)


@pytest.fixture
def torchvision_calls(monkeypatch: pytest.MonkeyPatch, small_idx: Small, write: Write) -> list[Path]:
    """Fashion-MNIST made small, and torchvision's download made a local write; the roots it was called with."""
    roots: list[Path] = []

    def download_locally(root: Path, **options: Any) -> None:
        assert options == {"download": True}
        roots.append(root)
        write(root / "FashionMNIST" / "raw", small_idx[1])

    monkeypatch.setattr(FashionMnist, "idx_set", small_idx[0])
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", download_locally)
    return roots


@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"], ids=["plain", "torchvision's layout"])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "unpacked"])
def test_fashion_mnist_that_is_there_is_not_downloaded(
    torchvision_calls: list[Path], small_idx: Small, write: Write, tmp_path: Path, below: str, packed: bool
) -> None:
    unpacked = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in small_idx[1].items()}
    write(tmp_path / below, small_idx[1] if packed else unpacked)
    data = FashionMnist(root=str(tmp_path))
    data.prepare_data()
    data.setup()
    assert len(data.train_images) == 5
    assert torchvision_calls == []


def test_missing_fashion_mnist_is_downloaded_once(
    torchvision_calls: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamodules.files.DEFAULT_ROOT", str(tmp_path))
    for root in (None, str(tmp_path)):
        data = FashionMnist(root=root)
        data.prepare_data()
        data.setup()
    assert torchvision_calls == [tmp_path]


def test_without_network_the_error_names_folder_and_files(
    torchvision_calls: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, download: bool) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nName or service not known")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fail)
    with pytest.raises(DataError) as error:
        FashionMnist(root=str(tmp_path)).prepare_data()
    text = str(error.value)
    assert "\n" not in text
    assert re.match(f"Small needs the files train-images.* in {tmp_path}/FashionMNIST/raw or {tmp_path} ", text)
    assert text.endswith(
        "the download failed (Error downloading train-images-idx3-ubyte.gz: Name or service not known)."
    )


def test_a_damaged_file_is_named_and_never_downloaded_again(
    torchvision_calls: list[Path], small_idx: Small, write: Write, tmp_path: Path
) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write(folder, {"t10k-labels-idx1-ubyte.gz": b"damaged"})  # the other three are missing
    with pytest.raises(DataError, match=f"^{folder}/t10k-labels-idx1-ubyte.gz .*is not a whole gzip file"):
        FashionMnist(root=str(tmp_path)).prepare_data()
    assert torchvision_calls == []
    assert (folder / "t10k-labels-idx1-ubyte.gz").read_bytes() == b"damaged"
