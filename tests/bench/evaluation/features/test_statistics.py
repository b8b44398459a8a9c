"""Files of moments: what is written is read again and by others; what is no Gaussian of these features is refused."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import compute_statistics_of_path
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.statistics import Statistics, check_extractor_of, read, reference_of, write


@pytest.fixture
def moments(extractor: Extractor, images: Callable[..., Tensor]) -> Moments:
    return Moments.from_features(extractor(images(90, seed=3)))


def test_what_is_written_is_read_bit_for_bit_by_us_and_by_pytorch_fid(
    moments: Moments, extractor: Extractor, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    write(moments, extractor, path)
    found = read(path)
    assert torch.equal(found.mean, moments.mean)
    assert torch.equal(found.covariance, moments.covariance)
    assert (found.extractor, found.extractor_digest, found.left_out) == (extractor.name, extractor.digest, ())
    mu, sigma = compute_statistics_of_path(str(path), None, None, None, None)
    np.testing.assert_array_equal(mu, moments.mean.numpy())
    np.testing.assert_array_equal(sigma, moments.covariance.numpy())
    reference = reference_of(found, extractor, (1, 8, 8))
    assert torch.equal(reference.moments.covariance, moments.covariance)
    assert len(reference.manifold(10, 0, 8)) == 0


def gaussian(dim: int = 3) -> dict[str, Any]:
    return {"mu": np.arange(dim, dtype=np.float64), "sigma": np.eye(dim)}


def test_files_of_guided_diffusion_have_more_which_is_named(tmp_path: Path) -> None:
    more: dict[str, Any] = {"arr_0": np.zeros((2, 4, 4, 3), np.uint8), "mu_s": np.zeros(5), "sigma_s": np.eye(5)}
    more |= gaussian() | {"mu": np.arange(3, dtype=np.float32)}
    np.savez(tmp_path / "a.npz", **more)
    found = read(tmp_path / "a.npz")
    assert found.left_out == ("arr_0", "mu_s", "sigma_s")
    assert found.mean.dtype == torch.float64
    assert found.extractor_digest == ""


def test_the_digest_is_of_both_moments(tmp_path: Path) -> None:
    digests = set()
    for name, value in {"": None, "mu": np.zeros(3), "sigma": 2 * np.eye(3)}.items():
        changed = gaussian() | ({name: value} if name else {})
        np.savez(tmp_path / "a.npz", **changed)
        digests.add(read(tmp_path / "a.npz").digest)
    assert len(digests) == 3


def packed(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


SKEW = np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pkl", pickle.dumps(gaussian()), "is no .npz; a pickle can run code and is never read: save the statistics"),
        ("a.txt", b"", "is no .npz: save the statistics with numpy.savez(FILE, mu=mu, sigma=sigma)"),
        ("a.npz", packed(arr_0=np.zeros(3)), "holds no mu and no sigma, but arr_0; it needs both"),
        ("a.npz", packed(mu=np.zeros(3)), "holds no sigma, but mu"),
        ("a.npz", packed(mu=np.zeros(3), sigma=np.eye(4)), "holds mu of shape (3,) and sigma of (4, 4)"),
        (
            "a.npz",
            packed(mu=np.zeros((1, 3)), sigma=np.eye(3)),
            "holds mu of shape (1, 3) and sigma of (3, 3); they",
        ),
        (
            "a.npz",
            packed(mu=np.zeros(3, int), sigma=np.eye(3)),
            "holds mu of int64 and sigma of float64; both",
        ),
        ("a.npz", packed(mu=np.zeros(3), sigma=np.full((3, 3), np.nan)), "holds NaN or infinity"),
        ("a.npz", packed(mu=np.zeros(3), sigma=SKEW), "holds a sigma that is no covariance"),
        ("a.npz", packed(mu=np.zeros(3), sigma=-np.eye(3)), "holds a sigma that is no covariance"),
        ("a.npz", packed(mu=np.array([None] * 3), sigma=np.eye(3)), "cannot be read: Object arrays cannot be loaded"),
        ("a.npz", packed(**gaussian(30))[:-50], "cannot be read"),
        ("a.npz", b"", "cannot be read"),
    ],
)
def test_what_is_no_gaussian_is_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EvaluationError) as refusal:
        read(tmp_path / name)
    assert f"--reference={tmp_path / name} {said}" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    with pytest.raises(EvaluationError, match="gone.npz is not a file"):
        read(tmp_path / "gone.npz")


def test_moments_of_another_network_are_refused(extractor: Extractor) -> None:
    def of(dim: int, name: str = "", digest: str = "") -> Statistics:
        return Statistics(torch.zeros(dim).double(), torch.eye(dim).double(), name, digest)

    path = Path("a.npz")
    check_extractor_of(of(extractor.dim), extractor, path)
    check_extractor_of(of(extractor.dim, extractor.name, extractor.digest), extractor, path)
    with pytest.raises(EvaluationError, match="a.npz has 2,048 dimensions, but features of .* have .*; choose the net"):
        check_extractor_of(of(2048), extractor, path)
    with pytest.raises(EvaluationError, match="a.npz is of other-cnn with weights of sha abcdabcd, but the features"):
        check_extractor_of(of(extractor.dim, "other-cnn", "abcdabcd" * 8), extractor, path)


def test_an_array_of_another_kind_is_no_file_of_statistics(tmp_path: Path) -> None:
    with (tmp_path / "stats.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(EvaluationError, match="cannot be read: it is no archive of arrays"):
        read(tmp_path / "stats.npz")
