"""FLD: the likelihood of held-out images under Gaussians at the samples, whose variances fit training images.

Jiralerspong et al. 2023, arXiv:2302.04440, with the constants of the authors' code (github.com/marcojira/fld, 245ac7c).
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.evaluation.keys import key
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import MANY, Estimate, pooled

MOST = 5000  # samples, and training images that variances are fitted to: 200 MB of distances
ROWS = 64  # of a matrix that stay in the processor's cache
STEPS, RATE = 50, 0.5  # of Adam
NEAR, LOG_VARIANCES = 1e-3, (-40, 20)  # what keeps a first variance above 0, and the range of their logarithms
ORIGIN = 0.1  # by how much points are moved to the Gaussian at their mean
NEGLIGIBLE = -60.0  # exponents below it are raised to it: smaller numbers than e^-60 of the largest are slow


class Likelihoods(NamedTuple):
    """Log likelihoods under the samples' Gaussians, float64, by the jackknife's groups, and under real images'."""

    held_out: Tensor  # M x G, the logarithm of the sum over each group's Gaussians
    fitted: Tensor  # F x G, of the training images that variances are fitted to
    sizes: Tensor  # int64 G, Gaussians of each group
    baseline: Tensor  # M, of held-out images under Gaussians at other training images


def fld(sets: FeatureSets) -> Estimate | None:
    """Return 100 / D times the held-out images' mean log likelihood that is missing to that of real samples.

    0 for samples as good as other training images, more for worse ones, and more where all samples are copies of the
    fitted images, because their Gaussians become narrow.
    """
    if sets.held_out is None:
        return None
    likelihoods = _likelihoods(sets)
    whole, without = _mixtures(likelihoods.held_out, likelihoods.sizes)
    scale = 100 / sets.held_out.shape[1]
    missing = scale * (likelihoods.baseline - whole)
    return Estimate(
        float(missing.mean()),
        scale * (likelihoods.baseline.mean() - without.mean(0)),
        extra=(float(missing.var() / len(missing)), MANY),
    )


def fld_gap(sets: FeatureSets) -> Estimate | None:
    """Return FLD of the fitted training images less FLD of the held-out ones; far below 0, samples are copies.

    A little below 0 for good samples, since the variances are fitted to the training images.
    """
    if sets.held_out is None:
        return None
    likelihoods = _likelihoods(sets)
    scale = 100 / sets.held_out.shape[1]
    held_out, fitted = (_mixtures(terms, likelihoods.sizes) for terms in (likelihoods.held_out, likelihoods.fitted))
    return Estimate(
        scale * float(held_out[0].mean() - fitted[0].mean()),
        scale * (held_out[1].mean(0) - fitted[1].mean(0)),
        extra=pooled([(scale**2 * float(part.var() / len(part)), MANY) for part, _ in (held_out, fitted)]),
    )


def fitted_log_variances(points: Tensor, centres: Tensor) -> Tensor:
    """Maximise the likelihood of N x D points under Gaussians at M x D centres, a variance each, by Adam: M.

    As in the authors' code a Gaussian at the points' mean, of weight 1 beside 1 / M each, takes part in the fit alone.
    It takes points that are far from all centres.
    """
    (n, d), m = points.shape, len(centres)
    squared = _squared(points, torch.cat([centres, points.mean(0, keepdim=True)]))
    squared[:, -1] *= (1 - ORIGIN) ** 2
    log_weights = torch.full_like(squared[0], -math.log(m))
    log_weights[-1] = 0
    log_variances = ((squared.amin(0) + NEAR) / d).log()  # the best for the nearest point alone
    log_variances[-1] = 0
    adam = torch.optim.Adam([log_variances], lr=RATE)
    for _ in range(STEPS):
        weights, moments = torch.zeros_like(log_weights), torch.zeros_like(log_weights)
        for squares, densities in _densities(squared, log_variances, log_weights, d):
            rows = 1 / densities.sum(1)  # r_ij is the density of j at i over that of all
            weights += rows @ densities
            moments += rows @ densities.mul_(squares)
        # d/d log v_j of -1 / (N D) sum_i log p(x_i) = (D sum_i r_ij - sum_i r_ij |x_i - y_j|^2 / v_j) / (2 N D)
        log_variances.grad = (d * weights - moments * (-log_variances).exp()) / (2 * d * n)
        adam.step()
        log_variances.clamp_(*LOG_VARIANCES)
    return log_variances[:-1]


def gaussian_terms(squared: Tensor, log_variances: Tensor, d: int) -> Tensor:
    """Return N x M log densities at N points of M isotropic Gaussians in d dimensions, from squared distances."""
    return torch.addcmul(-d / 2 * (log_variances + math.log(2 * math.pi)), squared, (-log_variances).exp(), value=-0.5)


def log_likelihoods(points: Tensor, centres: Tensor, log_variances: Tensor) -> Tensor:
    """Return N log likelihoods of N x D points under the mixture of equal weights."""
    parts = (gaussian_terms(_squared(part, centres), log_variances, points.shape[1]) for part in points.split(ROWS))
    return torch.cat([part.logsumexp(1) for part in parts]) - math.log(len(centres))


def _squared(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b).square_()


def _densities(squared: Tensor, log_variances: Tensor, log_weights: Tensor, d: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blocks of rows of `squared`, and the weighted densities there, over the largest of the row."""
    scales, constants = -0.5 * (-log_variances).exp(), log_weights - d / 2 * (log_variances + math.log(2 * math.pi))
    room = squared.new_empty(ROWS, squared.shape[1])
    for squares in squared.split(ROWS):
        terms = torch.addcmul(constants, squares, scales, out=room[: len(squares)])
        yield squares, terms.sub_(terms.amax(1, keepdim=True)).clamp_(min=NEGLIGIBLE).exp_()


@lru_cache(maxsize=1)  # for `fld` and `fld_gap`
def _likelihoods(sets: FeatureSets) -> Likelihoods:
    """Fit Gaussians at the samples to as many training images, at most MOST or half of the reference's."""
    assert sets.held_out is not None
    n, seed = len(sets.generated), sets.protocol.seed
    chosen = _permutation(n, seed)[:MOST].sort().values
    samples, held_out = (_standardised(x, sets.held_out) for x in (sets.generated[chosen], sets.held_out))
    fitted, baseline = _baseline(sets.reference, sets.held_out, min(n, MOST), seed)
    log_variances = fitted_log_variances(fitted, samples)
    G = int(sets.groups.max()) + 1
    members = [sets.groups[chosen] == g for g in range(G)]

    def terms(points: Tensor) -> Tensor:
        parts = (gaussian_terms(_squared(part, samples), log_variances, points.shape[1]) for part in points.split(ROWS))
        return torch.cat([torch.stack([part[:, of].logsumexp(1) for of in members], 1) for part in parts])

    return Likelihoods(terms(held_out), terms(fitted), torch.stack([of.sum() for of in members]), baseline)


@lru_cache(maxsize=1)  # all rows of a table have the same
def _baseline(reference: Tensor, held_out: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the training images that variances are fitted to, and held-out log likelihoods under Gaussians at others.

    Both are `size` images of the reference, or half of them, standardised.
    """
    halves = _permutation(len(reference), seed).split(min(size, len(reference) // 2))
    fitted, centres, judged = (
        _standardised(x, held_out) for x in (reference[halves[0]], reference[halves[1]], held_out)
    )
    return fitted, log_likelihoods(judged, centres, fitted_log_variances(fitted, centres))


def _mixtures(terms: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Return log likelihoods under the mixture of all Gaussians, N, and of all but one group's, N x G.

    terms: N x G, the logarithm of the sum over each group's Gaussians. Variances are not fitted anew.
    """
    G = len(sizes)
    others = terms[:, None].masked_fill(torch.eye(G, dtype=torch.bool), -math.inf).logsumexp(2)
    return terms.logsumexp(1) - sizes.sum().log(), others - (sizes.sum() - sizes).log()


def _standardised(features: Tensor, held_out: Tensor) -> Tensor:
    """Return features, float64, by the mean and the deviation of the held-out ones, as the authors' code has it."""
    by = held_out.double()
    deviation = by.std(0)
    return (features.double() - by.mean(0)) / deviation.where(deviation > 0, 1)


def _permutation(n: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(key("fld", seed)).permutation(n))
