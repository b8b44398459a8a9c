"""Averaged weights against their definition."""

import torch

from bench.training.callbacks import ema


def test_ema_follows_its_recursion_and_ends_where_weights_rest() -> None:
    weights = [torch.randn(5, generator=torch.Generator().manual_seed(k)) for k in range(60)]
    average, expected = [torch.zeros(5)], torch.zeros(5)
    for k, weight in enumerate(weights):
        ema(0.9)(average, [weight], torch.tensor(k))
        decay = min(0.9, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(average[0], expected)
    for k in range(60, 400):
        ema(0.9)(average, [weights[0]], k)
    torch.testing.assert_close(average[0], weights[0])
