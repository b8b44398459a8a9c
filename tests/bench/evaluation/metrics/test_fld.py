"""FLD against densities by scipy and gradients by autograd, and in cases with known answers."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from bench.evaluation.features.extractor import Moments
from bench.evaluation.keys import key
from bench.evaluation.metrics import fld as module
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.fld import fitted_log_variances, fld, fld_gap, gaussian_terms, log_likelihoods
from bench.evaluation.metrics.intervals import groups
from bench.evaluation.protocol import Protocol

N, D = 60, 4


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sets(y: Tensor, x: Tensor, held_out: Tensor | None) -> FeatureSets:
    protocol = Protocol(data="-", extractor="-", extractor_digest="0", reference_digest="0", samples=len(y), chunk=1)
    return FeatureSets(y, x, Moments.from_features(x), protocol, groups(len(y), 0), held_out=held_out)


def values(y: Tensor, x: Tensor, held_out: Tensor) -> tuple[float, float]:
    score, gap = fld(sets(y, x, held_out)), fld_gap(sets(y, x, held_out))
    assert score
    assert gap
    return score.value, gap.value


def fitted_by_autograd(x: Tensor, y: Tensor) -> Tensor:
    """The fit from densities by torch.distributions and gradients by autograd."""
    log_variances = ((torch.cdist(x, y).square().amin(0) + module.NEAR) / D).log().requires_grad_()
    at_mean = torch.zeros((), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([log_variances, at_mean], lr=module.RATE)
    near = x.mean(0) + (x - x.mean(0)) * (1 - module.ORIGIN)
    for _ in range(module.STEPS):
        gaussians = [torch.distributions.Normal(y[j], (log_variances[j] / 2).exp()) for j in range(len(y))]
        terms = [gaussian.log_prob(x).sum(1) - math.log(len(y)) for gaussian in gaussians]
        terms.append(torch.distributions.Normal(x.mean(0), (at_mean / 2).exp()).log_prob(near).sum(1))
        loss = -torch.stack(terms).logsumexp(0).mean() / D
        adam.zero_grad()
        loss.backward()
        adam.step()
    return log_variances.detach()


def test_the_fit_is_that_of_distributions_and_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 7)  # blocks that do not divide the points
    x, y = normal(N, D, 1), 0.7 * normal(50, D, 2) + 0.4
    torch.testing.assert_close(fitted_log_variances(x, y), fitted_by_autograd(x, y), rtol=1e-9, atol=1e-9)


def test_equal_variances_are_a_kernel_density_estimate() -> None:
    x, y = normal(N, D, 1), normal(50, D, 2)
    equal = torch.full((50,), math.log(0.3)).double()
    densities = [np.mean([multivariate_normal.pdf(point, centre, 0.3) for centre in y]) for point in x]
    assert log_likelihoods(x, y, equal).numpy() == pytest.approx(np.log(densities))
    terms = gaussian_terms(torch.cdist(x, y).square(), equal, D)
    assert terms.exp().mean(1).numpy() == pytest.approx(np.array(densities))


def test_both_figures_are_their_definitions() -> None:
    y, x, held_out = 0.8 * normal(N, D, 1) + 0.3, normal(2 * N, D, 2), 2 * normal(N, D, 3) + 1
    order = torch.from_numpy(np.random.RandomState(key("fld", 0)).permutation(2 * N))
    samples, fitted, others, judged = (
        (part - held_out.mean(0)) / held_out.std(0) for part in (y, x[order[:N]], x[order[N:]], held_out)
    )
    of_samples, of_data = (fitted_log_variances(fitted, centres) for centres in (samples, others))
    baseline = log_likelihoods(judged, others, of_data).mean()
    seen, unseen = (log_likelihoods(points, samples, of_samples).mean() for points in (fitted, judged))
    score, gap = values(y, x, held_out)
    assert score == pytest.approx(100 / D * float(baseline - unseen))
    assert gap == pytest.approx(100 / D * float(unseen - seen))


def test_real_samples_score_0_and_worse_ones_more() -> None:
    x, held_out = normal(2000, 3, 1), normal(500, 3, 2)
    cases = [normal(500, 3, 3), normal(500, 3, 3) + 0.5, normal(500, 3, 3) + 1.5]
    scores = [values(y, x, held_out)[0] for y in cases]
    assert abs(scores[0]) < 3
    assert scores == sorted(scores)
    assert scores[1] > 5


def test_copies_of_the_fitted_images_widen_the_gap_and_raise_the_score() -> None:
    """A sample on an image shrinks its Gaussian: likely where it is fitted, unlikely beside it."""
    x, held_out = normal(400, 3, 1), normal(400, 3, 2)
    order = torch.from_numpy(np.random.RandomState(key("fld", 0)).permutation(400))
    copies = x[order[:200]] + 1e-3 * normal(200, 3, 4)
    (score, gap), (of_copies, gap_of_copies) = values(normal(200, 3, 3), x, held_out), values(copies, x, held_out)
    assert gap_of_copies < gap - 50
    assert of_copies > score + 50


def test_more_samples_and_images_than_the_most_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 30)
    shapes: list[tuple[int, ...]] = []

    def counted(points: Tensor, centres: Tensor) -> Tensor:
        shapes.extend((tuple(points.shape), tuple(centres.shape)))
        return fitted_log_variances(points, centres)

    monkeypatch.setattr(module, "fitted_log_variances", counted)
    values(normal(N, D, 1), normal(4 * N, D, 2), normal(N, D, 3))
    assert set(shapes) == {(30, D)}


def test_a_reference_of_one_subset_is_halved() -> None:
    score, gap = values(normal(N, D, 1), normal(N, D, 2), normal(N, D, 3))
    assert math.isfinite(score)
    assert math.isfinite(gap)


def test_there_is_no_figure_without_held_out_features() -> None:
    x = normal(N, D, 1)
    assert fld(sets(x, x, None)) is None
    assert fld_gap(sets(x, x, None)) is None


def test_without_a_group_is_the_mixture_of_the_other_gaussians() -> None:
    y, x, held_out = normal(N, D, 1), normal(2 * N, D, 2), normal(N, D, 3)
    features = sets(y, x, held_out)
    likelihoods = module._likelihoods(features)
    samples, judged = ((part - held_out.mean(0)) / held_out.std(0) for part in (y, held_out))
    order = torch.from_numpy(np.random.RandomState(key("fld", 0)).permutation(2 * N))
    log_variances = fitted_log_variances((x[order[:N]] - held_out.mean(0)) / held_out.std(0), samples)
    kept = features.groups != 4
    expected = likelihoods.baseline - log_likelihoods(judged, samples[kept], log_variances[kept])
    without: Any = fld(features)
    assert float(without.without[4]) == pytest.approx(100 / D * float(expected.mean()))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0.7, 1.0])
def test_intervals_hold_the_mean_over_draws_of_samples_and_held_out_images(scale: float) -> None:
    x = normal(400, D, 9)
    draws = [sets(scale * normal(200, D, s) + 0.2, x, normal(200, D, 5000 + s)) for s in range(60)]
    for figure in (fld, fld_gap):
        estimates = [estimate for draw in draws if (estimate := figure(draw))]
        mean = np.mean([estimate.value for estimate in estimates])
        ends = [estimate.interval or (math.nan, math.nan) for estimate in estimates]
        held = np.mean([low <= mean <= high for low, high in ends])
        length = np.mean([high - low for low, high in ends]) / (3.92 * np.std([e.value for e in estimates]))
        print(f"{figure.__name__}: {held:.0%} hold the mean {mean:.3f}, {length:.2f} times as long as the spread")
        assert held >= 0.85
        assert length < 1.7
