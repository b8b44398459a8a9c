"""The running Gaussian is that of all vectors by their weights, and draws have its covariance."""

import pytest
import torch
from torch import Tensor

from models.networks.running_gaussian import RunningGaussian
from tests.models.moments import weighted


def fitted(batches: list[Tensor], decay: float) -> RunningGaussian:
    gaussian = RunningGaussian(batches[0].shape[1], decay)
    for batch in batches:
        gaussian.update(batch)
    return gaussian


def correlated(sizes: list[int], offset: float = 0.0) -> list[Tensor]:
    """Batches of 4-dimensional vectors whose mean drifts and whose coordinates hang together."""
    mix = torch.randn(4, 4)
    return [torch.randn(size, 4) @ mix + 0.5 * i + offset for i, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", [[7], [1, 1], [5, 5, 5], [6, 2, 9, 1, 30]], ids=str)
@pytest.mark.parametrize("decay", [0.5, 0.99, 1.0])
def test_the_gaussian_is_that_of_all_vectors_by_their_weights(sizes: list[int], decay: float) -> None:
    """However few batches there were: without the bias of averages that start at zero."""
    batches = correlated(sizes)
    gaussian, (mean, covariance) = fitted(batches, decay), weighted(batches, decay)
    torch.testing.assert_close(gaussian.mean.double(), mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gaussian.covariance.double(), covariance, rtol=1e-5, atol=1e-5)
    effective = sum(size * decay ** (len(sizes) - 1 - i) for i, size in enumerate(sizes))
    assert gaussian.weight.item() == pytest.approx(effective)


def test_a_mean_far_from_zero_costs_the_covariance_no_digits() -> None:
    """As E[z z^T] - m m^T it would in float32: 1000^2 has a spacing of 1/16 there."""
    batches = correlated([64] * 20, offset=1000.0)
    _, covariance = weighted(batches, 0.9)
    torch.testing.assert_close(fitted(batches, 0.9).covariance.double(), covariance, rtol=1e-3, atol=1e-3)


def test_autocast_leaves_the_gaussian_in_float32() -> None:
    batches = correlated([16] * 3, offset=10.0)
    plain = fitted(batches, 0.9)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = fitted(batches, 0.9)
        drawn = mixed.sample(5, torch.Generator().manual_seed(1))
    assert torch.equal(mixed.covariance, plain.covariance)
    assert torch.equal(drawn, plain.sample(5, torch.Generator().manual_seed(1)))


def test_draws_are_an_exact_linear_image_of_the_noise_with_the_covariance_fitted() -> None:
    """z = mean + S eps for a symmetric S with S S = covariance: what makes the draws' mean and covariance those."""
    gaussian = fitted(correlated([40] * 3), 0.9)
    eps = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    drawn = gaussian.sample(6, torch.Generator().manual_seed(2))
    root = torch.linalg.lstsq(eps.double(), (drawn - gaussian.mean).double()).solution
    torch.testing.assert_close(root, root.T, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close((root @ root).float(), gaussian.covariance, rtol=1e-3, atol=1e-4)


def test_draws_of_a_covariance_without_full_rank_stay_where_the_vectors_were() -> None:
    """Two vectors in four dimensions: every draw lies on the line through them, with their mean and deviation."""
    first, second = torch.randn(2, 4)
    gaussian = fitted([torch.stack([first, second])], 0.9)
    drawn = gaussian.sample(4000, torch.Generator().manual_seed(0))
    along = (second - first) / (second - first).norm()
    place = (drawn - gaussian.mean) @ along
    torch.testing.assert_close(drawn, gaussian.mean + place[:, None] * along, rtol=0, atol=5e-3)
    assert place.mean().item() == pytest.approx(0, abs=0.1)
    assert place.std().item() == pytest.approx((second - first).norm().item() / 2, rel=0.05)


def test_before_any_batch_it_is_standard_normal() -> None:
    eps = torch.randn(3, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(RunningGaussian(2, 0.9).sample(3, torch.Generator().manual_seed(4)), eps)
