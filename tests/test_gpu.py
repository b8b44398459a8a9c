"""One GPU computes what one CPU computes, within stated bounds: samples, gradients, features."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from bench.evaluation.features.registry import load_extractor
from models.base import GenerativeModel
from models.muon import Muon
from tests.models.cases import CASES, Case, build

GPU = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
)
SHAPE = (1, 28, 28)
DISCRETE = ("vqvae", "pixel_ar", "sohl_dickstein")  # whose draws of levels or codes flip by rounding


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Convolutions without TF32, whose 10 bits are no float32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def pair(case: Case, device: str) -> tuple[GenerativeModel, GenerativeModel]:
    """The same model on the CPU and on the device, with weights that all take part."""
    torch.manual_seed(0)
    model = build(case, SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model, copy.deepcopy(model).to(device)


def draw(model: GenerativeModel, case: Case, n: int = 4) -> Tensor:
    """Samples whose noise is drawn on the CPU, so that both devices have the same."""
    return model.sample(n, torch.Generator().manual_seed(1), **case.sampler).cpu()


@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("name", ["vae", "gan", "flow_map"])
def test_samples_are_the_same(name: str, device: str) -> None:
    """Those of a few families also on the CPU, which holds the test itself to its word."""
    ours, theirs = pair(CASES[name], device)
    torch.testing.assert_close(draw(theirs, CASES[name]), draw(ours, CASES[name]), rtol=0, atol=2e-3)


@pytest.mark.parametrize("device", [GPU])
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("vae", "gan", "flow_map")])
def test_samples_of_all_others_are_the_same(name: str, device: str) -> None:
    case = CASES[name]
    ours, theirs = pair(case, device)
    apart = (draw(theirs, case) - draw(ours, case)).abs()
    share = 0.05 if case.model in DISCRETE else 0.0
    assert (apart > 2e-3).float().mean() <= share


@pytest.mark.parametrize("device", [GPU])
@pytest.mark.parametrize("name", CASES)
def test_bfloat16_samples_are_finite_images(name: str, device: str) -> None:
    _, model = pair(CASES[name], device)
    with torch.autocast(device, torch.bfloat16):
        samples = draw(model, CASES[name])
    assert samples.dtype == torch.float32
    assert samples.abs().max() <= 1


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_an_optimizers_step_is_the_same(device: str) -> None:
    """Muon's iterations in float32, and Adam's on the rest."""
    weights = []
    for model in pair(CASES["ddpm"], device):
        x = torch.randn(8, *SHAPE, generator=torch.Generator().manual_seed(2)).to(model.device)
        t, optimizer = torch.arange(1, 9, device=model.device), Muon(model, 0.01)
        for _ in range(3):
            loss = (model.denoiser(x, t) - x).square().mean()  # type: ignore[operator, union-attr]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        weights.append([parameter.detach().cpu() for parameter in model.parameters()])
    for ours, theirs in zip(*weights, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_the_evaluators_features_are_the_same(device: str) -> None:
    images = torch.randint(0, 256, (64, *SHAPE), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    ours, theirs = (load_extractor("mnist-cnn", device=where)(images) for where in ("cpu", device))
    torch.testing.assert_close(theirs.cpu(), ours, rtol=1e-3, atol=1e-3)
