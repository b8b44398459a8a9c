"""FID and its extrapolation against closed forms and other implementations, on features made by hand."""

import math
import warnings

import numpy as np
import pytest
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Moments
from bench.evaluation.metrics import fid as frechet
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.fid import fid, fid_by_count, fid_infinity
from bench.evaluation.metrics.intervals import Estimate, groups
from bench.evaluation.protocol import Protocol

PROTOCOL = Protocol(data="d", extractor="e", extractor_digest="0", reference_digest="0", samples=100, chunk=1)


def sets(generated: Tensor, reference: Tensor | Moments, of: Tensor | None = None) -> FeatureSets:
    moments = reference if isinstance(reference, Moments) else Moments.from_features(reference)
    dealt = groups(len(generated), 0) if of is None else of
    return FeatureSets(generated, generated[:0], moments, PROTOCOL, dealt)


def normal(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def white(n: int, dim: int, seed: int) -> Tensor:
    """Points whose mean is 0 and whose covariance is the identity, exactly."""
    x = normal(n, dim, seed)
    x = x - x.mean(0)
    root: Tensor = torch.linalg.cholesky(x.T @ x / (n - 1))
    whitened: Tensor = torch.linalg.solve_triangular(root.T, x, upper=True, left=False)
    return whitened


def test_fid_of_gaussians_is_the_closed_form() -> None:
    dim = 12
    rotation = torch.linalg.qr(normal(dim, dim, 5))[0]
    mu, s1, s2 = normal(1, dim, 6), torch.linspace(0.1, 3, dim).double(), torch.linspace(2, 0.5, dim).double()
    a = white(500, dim, 1) * s1 @ rotation
    b = white(700, dim, 2) * s2 @ rotation + mu
    expected = float((mu**2).sum() + ((s1 - s2) ** 2).sum())  # covariances that commute
    assert fid(sets(a, b)).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "m", "dim"), [(400, 300, 32), (40, 40, 64), (40, 300, 64), (300, 40, 64)])
def test_fid_is_torch_fidelitys_and_pytorch_fids(n: int, m: int, dim: int) -> None:
    a, b = (torch.relu(normal(k, dim, seed) @ normal(dim, dim, 9)).float() for k, seed in ((n, 1), (m, 2)))
    ours = fid(sets(a, b)).value
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(x.double()) for x in (a, b)), verbose=False)
    x, y = a.double().numpy(), b.double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls scipy in an old way
        old = calculate_frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert ours == pytest.approx(old, rel=1e-6)


def test_fid_of_flat_gaussians_on_one_subspace_is_that_within_it() -> None:
    a, b = normal(50, 4, 1), normal(60, 4, 2) + 0.5
    embed = torch.linalg.qr(normal(200, 4, 3))[0].T
    assert fid(sets(a @ embed, b @ embed)).value == pytest.approx(fid(sets(a, b)).value, rel=1e-9)


def test_fid_is_symmetric_and_zero_for_identical_sets() -> None:
    a, b = normal(80, 6, 1), normal(80, 6, 2) + 0.5
    assert fid(sets(a, b)).value == pytest.approx(fid(sets(b, a)).value, rel=1e-9)
    assert 0 <= fid(sets(a, a.clone())).value < 1e-9
    same = a[:1].repeat(80, 1)
    expected = (a[0] - b.mean(0)).square().sum() + Moments.from_features(b).covariance.trace()
    assert fid(sets(same, b)).value == pytest.approx(float(expected), rel=1e-12)  # of a point from a Gaussian


PARTITIONS = pytest.mark.parametrize("of", [groups(90, 0), torch.arange(90).sqrt().long()], ids=["dealt", "unequal"])


@PARTITIONS
def test_without_and_pairs_are_the_figure_of_the_samples_that_are_left(of: Tensor) -> None:
    a, b = normal(90, 7, 1).float() + 5, normal(200, 7, 2).float() * 1.3 + 5
    estimate = fid(sets(a, b, of))
    assert estimate.without is not None
    for g, found in enumerate(estimate.without.tolist()):
        assert found == pytest.approx(fid(sets(a[of != g], b)).value, rel=1e-9)
    assert estimate.pairs is not None
    known = estimate.pairs.isfinite().nonzero().tolist()
    assert {g for pair in known for g in pair} == set(range(int(of.max()) + 1))
    for g, h in known:
        rest = a[(of != g) & (of != h)]
        assert float(estimate.pairs[g, h]) == pytest.approx(fid(sets(rest, b)).value, rel=1e-9)


@PARTITIONS
def test_without_of_infinity_leaves_every_sample_in_its_run(of: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "_order", lambda sets: torch.arange(len(sets.generated)))
    a, b = normal(90, 7, 1).float() + 5, normal(200, 7, 2).float() * 1.3 + 5
    left_out = fid_infinity(sets(a, b, of)).without  # type: ignore[union-attr]
    assert left_out is not None
    for g, found in enumerate(left_out.tolist()):
        by_count = {}
        for parts in (4, 2, 1):
            size = 90 // parts
            runs = [(a[i * size : (i + 1) * size], of[i * size : (i + 1) * size]) for i in range(parts)]
            by_count[size] = float(np.mean([fid(sets(run[kept != g], b)).value for run, kept in runs]))
        assert found == pytest.approx(frechet._extrapolated(by_count), rel=1e-9)


def test_by_count_is_the_mean_over_disjoint_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "_order", lambda sets: torch.arange(len(sets.generated)))
    a, b = normal(103, 5, 1), normal(300, 5, 2) * 1.2
    runs = {25: [a[:25], a[25:50], a[50:75], a[75:100]], 51: [a[:51], a[51:102]], 103: [a]}
    found = fid_by_count(sets(a, b))
    assert list(found) == [25, 51, 103]
    for count, parts in runs.items():
        assert found[count] == pytest.approx(np.mean([fid(sets(part, b)).value for part in parts]), rel=1e-12)
    with pytest.raises(EvaluationError, match="samples=7 "):
        fid_by_count(sets(a[:7], b))


def test_images_that_come_class_by_class_are_shuffled_first() -> None:
    """In order, each quarter would hold one class of four, and FID at n / 4 would be that of the wrong classes."""
    a, b = (normal(400, 4, seed) + 20 * (torch.arange(400) // 100)[:, None] for seed in (1, 2))
    mixed = a[torch.randperm(400, generator=torch.Generator().manual_seed(3))]
    for figure in (lambda x: fid_by_count(sets(x, b))[100], lambda x: fid_infinity(sets(x, b)).value):  # type: ignore[union-attr]
        assert abs(figure(a)) < 100  # in order, about 2,000
        assert abs(figure(mixed)) < 100


def test_infinity_has_no_figure_of_fewer_than_five_samples_a_dimension() -> None:
    assert fid_infinity(sets(normal(49, 10, 1), normal(99, 10, 2))) is None
    assert fid_infinity(sets(normal(50, 10, 1), normal(99, 10, 2))) is not None


def test_infinity_is_exact_where_fid_is_a_line_in_one_over_n() -> None:
    assert frechet._extrapolated({n: 1.5 + 40 / n for n in (25, 51, 103)}) == pytest.approx(1.5, rel=1e-12)


def test_infinity_has_no_intervals_where_they_would_take_minutes() -> None:
    a = normal(5 * frechet.CHEAP + 5, frechet.CHEAP + 1, 1)
    assert fid_infinity(sets(a, a)).without is None  # type: ignore[union-attr]


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_infinity_is_nearer_the_closed_form_than_fid_of_all_samples(shift: float) -> None:
    dim, n = 16, 400
    eye = torch.eye(dim, dtype=torch.float64)
    reference = Moments(10**6, torch.zeros(dim, dtype=torch.float64), eye * (10**6 - 1))
    closed = dim * shift**2
    draws = [sets(normal(n, dim, seed) + shift, reference) for seed in range(30)]
    plain = np.mean([fid(draw).value for draw in draws]) - closed
    infinite = np.array([estimate.value for draw in draws if (estimate := fid_infinity(draw))]) - closed
    print(f"shift {shift}: FID_n {plain:+.4f}, FID_infinity {infinite.mean():+.4f} from {closed:.2f}")
    assert abs(infinite.mean()) < 0.25 * plain
    assert shift > 0 or infinite.min() < 0  # not clipped, which would bias it upwards


def test_the_interval_near_the_floor_is_as_long_as_the_spread() -> None:
    """The plain jackknife's is 1.4 times as long, since all of FID is quadratic there."""
    dim = 8
    eye = Moments(10**6, torch.zeros(dim).double(), torch.eye(dim).double() * (10**6 - 1))
    found = [fid(sets(normal(200, dim, s), eye, groups(200, s))) for s in range(60)]
    spread = np.std([estimate.value for estimate in found])
    corrected = np.mean([(estimate.half_width or math.nan) for estimate in found]) / (2.09 * spread)
    plain = np.mean([(Estimate(e.value, e.without).half_width or math.nan) for e in found]) / (2.09 * spread)
    assert corrected < 1.1
    assert plain > 1.2
    assert all(estimate.interval is not None and estimate.interval[0] >= 0 for estimate in found)
