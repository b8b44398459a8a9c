"""The rules of Song and Ermon 2020 give the papers' numbers, and what they promise holds for Gaussians."""

import math

import pytest
import torch

from models.diffusion.noise_levels import (
    FEWEST,
    geometric,
    langevin_step_size,
    largest_distance,
    level_count,
    normal_cdf,
    overlapping_ratio,
    variance_ratio,
)


def test_the_largest_distance_is_that_of_the_farthest_pair_whatever_the_chunks() -> None:
    x = torch.rand(23, 1, 4, 3)
    x[3], x[20] = -1, 1  # opposite corners of the cube
    for chunk in (1, 5, 23, 100):
        assert largest_distance(x, chunk) == pytest.approx(2 * 12**0.5)


@pytest.mark.parametrize(
    ("dimensions", "ratio", "levels"), [(784, 1.0820, 94), (2352, 1.0457, 166), (3072, 1.0398, 190)]
)
def test_ratios_of_images_of_the_usual_sizes(dimensions: int, ratio: float, levels: int) -> None:
    """Of 28 x 28 digits, of three channels of them, and of CIFAR-10, whose authors took 1.0376."""
    assert overlapping_ratio(dimensions) == pytest.approx(ratio, abs=5e-5)
    assert level_count(15.8, 0.01, dimensions) == levels
    assert level_count(31.6, 0.02, dimensions) == levels, "the units of the images do not matter"


def test_half_of_the_images_at_a_level_lie_within_the_shell_of_the_next() -> None:
    """Technique 2's approximation, |sigma z| ~ N(sqrt(D) sigma, sigma^2 / 2), against draws; four standard errors."""
    dimensions, draws = 784, 4000
    ratio = overlapping_ratio(dimensions)
    radius = torch.randn(draws, dimensions, dtype=torch.float64).norm(dim=1)
    # a shell of three deviations of the radius at the higher level
    inside = ((radius - ratio * dimensions**0.5).abs() < 3 * ratio / 2**0.5).double().mean().item()
    assert inside == pytest.approx(0.5, abs=4 * 0.5 / draws**0.5 + 0.01)


def test_few_dimensions_have_no_ratio_and_the_fewest_have() -> None:
    assert overlapping_ratio(FEWEST) > 2
    with pytest.raises(ValueError, match=f"4 dimensions; the rule needs {FEWEST}"):
        overlapping_ratio(FEWEST - 1)


def test_levels_are_geometric_and_rise() -> None:
    sigmas = geometric(34.0, 0.02, 95)
    assert (sigmas[0].item(), sigmas[-1].item(), len(sigmas)) == (pytest.approx(0.02), pytest.approx(34.0), 95)
    torch.testing.assert_close(sigmas[1:] / sigmas[:-1], (sigmas[1] / sigmas[0]).expand(94), rtol=1e-12, atol=0)
    assert level_count(1.0, 0.9999, 784) == 2


def test_the_first_papers_ten_levels() -> None:
    """Song and Ermon 2019, Section 5: 1 ... 0.01, each 0.6 times the one before."""
    sigmas = geometric(1.0, 0.01, 10)
    assert (sigmas[0] / sigmas[1]).item() == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(("steps", "epsilon"), [(3, 1.26e-5), (5, 1.11e-5), (10, 8.6e-6)])
def test_step_sizes_for_digits(steps: int, epsilon: float) -> None:
    ratio = overlapping_ratio(784)
    assert langevin_step_size(0.01, ratio, steps) == pytest.approx(epsilon, rel=5e-3)
    assert langevin_step_size(0.02, ratio, steps) == pytest.approx(4 * epsilon, rel=5e-3), "in [-1, 1]"


def test_the_authors_step_size_for_cifar_10() -> None:
    """Song and Ermon 2020, Appendix B: 232 levels from 50 to 0.01, five steps each, epsilon = 6.2e-6."""
    assert langevin_step_size(0.01, (50 / 0.01) ** (1 / 231), 5) == pytest.approx(6.2e-6, rel=5e-3)


@pytest.mark.parametrize("steps", [1, 3, 5, 100])
@pytest.mark.parametrize("ratio", [1.04, 1.08, 1.67])
def test_no_other_step_size_brings_the_variance_closer_to_the_levels(steps: int, ratio: float) -> None:
    best = langevin_step_size(1.0, ratio, steps)
    distances = [abs(variance_ratio(step / 1000, ratio, steps) - 1) for step in range(1, 1000)]
    assert abs(variance_ratio(best, ratio, steps) - 1) <= min(distances) + 1e-9


def test_a_single_step_of_the_variance_is_that_of_the_recursion() -> None:
    """y + alpha (-y / sigma^2) + sqrt(2 alpha) z, sigma = 1: Var' = (1 - alpha)^2 Var + 2 alpha."""
    variance = 1.3**2
    for steps in range(1, 8):
        variance = (1 - 0.1) ** 2 * variance + 2 * 0.1
        assert variance_ratio(0.1, 1.3, steps) == pytest.approx(variance, rel=1e-12)


def test_the_normal_distribution() -> None:
    assert normal_cdf(0) == 0.5
    assert normal_cdf(1.959964) == pytest.approx(0.975, abs=1e-6)
    assert normal_cdf(-9) == pytest.approx(math.erfc(9 / 2**0.5) / 2, rel=1e-12)
