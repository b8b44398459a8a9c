"""The self-test's inputs have the moments that their closed forms assume, and modify what they say."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from bench.selftest import inputs as module
from bench.selftest.inputs import GAUSSIANS, POINTS, Inputs, blur, gaussians


def test_points_have_the_moments_of_the_gaussians(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, torch.Tensor] = {}

    def setting(data: str, extractor: object, samples: int, training: torch.Tensor) -> Any:
        seen["reference"] = training
        return SimpleNamespace(evaluate=lambda images: seen.update(samples=images))

    monkeypatch.setattr(module, "setting", setting)
    gaussians(cast(Inputs, None))
    for points, (mean, covariance) in zip((seen["samples"], seen["reference"]), GAUSSIANS, strict=True):
        flat = points.flatten(1).double()
        assert flat.shape == (POINTS, 2)
        torch.testing.assert_close(flat.mean(0), mean, rtol=0, atol=1e-6)
        torch.testing.assert_close(flat.T.cov(), covariance, rtol=1e-5, atol=1e-6)


def test_blur_keeps_the_sum_of_a_point_and_its_deviation_is_as_given() -> None:
    image = torch.zeros(1, 1, 29, 29)
    image[0, 0, 14, 14] = 1
    blurred = blur(image, 2.0)[0, 0]
    at = torch.arange(29.0) - 14
    assert float(blurred.sum()) == pytest.approx(1, rel=1e-5)
    assert float((blurred.sum(0) * at.square()).sum()) == pytest.approx(4, rel=0.02)
