"""Classifiers of noisy images give a logit for each class of each image, by its own time."""

from typing import Any

import pytest
import torch

from models.networks.time_classifier import time_classifier


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [("conv", (1, 28, 28)), ("conv", (3, 29, 27)), ("linear", (3, 5, 7)), ("linear", (2, 1, 1))],
)
def test_images_do_not_see_each_other_and_have_their_own_times(architecture: Any, shape: tuple[int, int, int]) -> None:
    network = time_classifier(architecture, shape, 5, channels=[8, 16], blocks=1, patch=2, hidden=16).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        x, t = torch.randn(3, *shape), torch.tensor([1, 500, 1000])
        logits = network(x, t)
        assert logits.shape == (3, 5)
        assert logits.dtype == torch.float32
        for i in range(3):
            torch.testing.assert_close(logits[i : i + 1], network(x[i : i + 1], t[i : i + 1]), rtol=1e-3, atol=1e-4)
        assert not torch.allclose(logits, network(x, t.flip(0)), atol=1e-4)
