"""The flow map's assembly: what each objective asks of the network and when, and what its samplers draw."""

from collections.abc import Callable
from typing import Any, get_args

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.flow_map import FROM_NOISE, TIME_SCALE, FlowMap, Objective, draw_pairs
from models.flows.path import interpolate
from models.flows.solvers import solve
from tests.models.flows.gaussian import Gaussian

SHAPE = (1, 6, 5)
CPU = torch.device("cpu")
LIKE = torch.zeros(())
OBJECTIVES = get_args(Objective)
every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


def small(**changes: Any) -> FlowMap:
    settings: dict[str, Any] = {"channels": [16], "warmup": 1, "flow_first": 0}
    return FlowMap(DataSpec(SHAPE), **(settings | changes))


class Exact(nn.Module):
    """The mean velocity of a Gaussian's flow at the network's times, times a factor that is 1 and can learn."""

    def __init__(self, gaussian: Gaussian) -> None:
        super().__init__()
        self.gaussian = gaussian
        self.factor = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, z: Tensor, times: Tensor) -> Tensor:
        t, gap = (times.double() / TIME_SCALE).unbind(1)
        return (self.factor * self.gaussian.mean_velocity(z.double(), t, (t - gap).clamp(min=0))).to(z)


def exact(gaussian: Gaussian = Gaussian(0.1, 0.2), **changes: Any) -> FlowMap:  # noqa: B008, frozen
    model = small(**changes)
    model.network = Exact(gaussian)
    return model


def mapped_rows(model: FlowMap, n: int) -> Tensor:
    rows = model.draw_rows(n, 1.0, LIKE).double()
    return rows[rows[:, 3] > 0]


@pytest.mark.parametrize("objective", ["split-meanflow", "shortcut"])
def test_the_exact_map_is_a_fixed_point_of_the_loss(objective: Objective) -> None:
    """Zero error and zero gradient at every lambda, where the network itself goes the first part."""
    model = exact(objective=objective)
    rows = mapped_rows(model, 200)
    x = 0.1 + 0.2 * torch.randn(len(rows), *SHAPE, dtype=torch.float64)
    loss = model.loss(x, torch.randn_like(x), rows)
    (gradient,) = torch.autograd.grad(loss, list(model.network.parameters()))
    assert loss.item() < 1e-12
    assert gradient.abs().item() < 1e-6


@pytest.mark.parametrize("objective", ["soflow", "consistency"])
def test_with_the_data_going_first_the_exact_map_is_approached_as_lambda_goes_to_zero(objective: Objective) -> None:
    """The target's mean given z, which is affine in the data's velocity here, is off by lambda^2 (t - s) or so."""
    gaussian, errors = Gaussian(0.1, 0.2), []
    for ratio in (0.1, 0.05, 0.025):
        torch.manual_seed(0)
        model = exact(gaussian, objective=objective, ratio=ratio)
        t, middle, s, _ = mapped_rows(model, 400).unbind(1)
        z = interpolate(0.1 + 0.2 * torch.randn(len(t), *SHAPE), torch.randn(len(t), *SHAPE), t.float()).double()
        target = model.target(z, gaussian.velocity(z, t), t, middle, s)
        errors.append((target - gaussian.mean_velocity(z, t, s)).abs().mean().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.2)


@every_objective
def test_rows_without_a_gap_are_flow_matching(objective: Objective) -> None:
    """Their loss is the squared error of the velocity, whatever the objective."""
    model = small(objective=objective)
    nn.init.normal_(model.network.get_parameter("out.weight"), std=0.1)
    rows = model.draw_rows(64, 1.0, LIKE)
    rows = rows[rows[:, 3] == 0]
    t = rows[:, 0]
    assert torch.equal(rows[:, 2], t)
    x, eps = torch.randn(2, len(rows), *SHAPE)
    with torch.no_grad():
        predicted = model.mean_velocity(interpolate(x, eps, t), t, t)
        torch.testing.assert_close(model.loss(x, eps, rows), (predicted - (eps - x)).square().mean())


@every_objective
def test_at_first_all_rows_regress_the_velocity_at_any_end(objective: Objective) -> None:
    model = small(objective=objective, flow_first=0.5)
    for done, share in ((0.0, 0.0), (0.499, 0.0), (0.5, 0.25), (1.0, 0.25)):
        t, middle, s, mapped = model.draw_rows(1000, done, LIKE).unbind(1)
        assert mapped.mean().item() == share
        assert (s <= middle).all()
        assert (middle <= t).all()
        assert ((s >= 0) & (t <= 1)).all()
        if not share:
            assert torch.equal(middle, t)
            assert ((s / t)[t > 0].mean() - 0.5).abs() < 0.05


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_share_of_flow_matching_holds_in_every_batch(share: float) -> None:
    for n in (1, 7, 64):
        flow = n - model_rows(share, n)
        assert abs(flow - share * n) < 1


def model_rows(share: float, n: int) -> int:
    return int(small(flow_share=share).draw_rows(n, 1.0, LIKE)[:, 3].sum())


def test_each_objective_draws_its_own_middle_and_end() -> None:
    ratios, ends = {}, {}
    for objective in OBJECTIVES:
        t, middle, s, _ = mapped_rows(small(objective=objective), 4000).unbind(1)
        ratios[objective], ends[objective] = (t - middle) / (t - s), s
    for objective, ratio in (("shortcut", 0.5), ("soflow", 0.1), ("consistency", 0.1)):
        assert (ratios[objective] - ratio).abs().max() < 1e-2
    assert ratios["split-meanflow"].mean().item() == pytest.approx(0.5, abs=0.05)
    assert ratios["split-meanflow"].std().item() == pytest.approx(12**-0.5, abs=0.03)
    assert (ends["consistency"] == 0).all()
    assert all((ends[objective] > 0).any() for objective in OBJECTIVES if objective != "consistency")


def test_pairs_of_times_are_uniform_but_for_those_that_samples_start_from() -> None:
    t, s = draw_pairs(40_000, CPU)
    assert (s < t).all()
    from_noise = t == 1
    assert from_noise.float().mean().item() == pytest.approx(FROM_NOISE, abs=0.02)
    assert set(s[from_noise].tolist()) == {0.0, 0.5}
    assert t[~from_noise].mean().item() == pytest.approx(2 / 3, abs=0.02)
    assert s[~from_noise].mean().item() == pytest.approx(1 / 3, abs=0.02)


@every_objective
def test_targets_carry_no_gradient(objective: Objective) -> None:
    model = exact(objective=objective)
    t, middle, s, _ = mapped_rows(model, 8).unbind(1)
    z = torch.randn(len(t), *SHAPE)
    assert not model.target(z, z, t, middle, s).requires_grad


def test_any_number_of_steps_of_the_exact_map_draws_the_same_images() -> None:
    model = exact()
    once = model.sample(5, torch.Generator().manual_seed(1))
    z = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(once, (0.1 + 0.2 * z).clamp(-1, 1))
    for steps in (2, 4, 32):
        torch.testing.assert_close(model.sample(5, torch.Generator().manual_seed(1), steps=steps), once)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_new_noise_between_jumps_of_the_exact_map_keeps_the_distribution(steps: int) -> None:
    drawn = exact().sample(2000, torch.Generator().manual_seed(0), method="consistency", steps=steps)
    values = 2000 * 30
    assert drawn.mean().item() == pytest.approx(0.1, abs=4 * 0.2 / values**0.5)
    assert drawn.std().item() == pytest.approx(0.2, abs=4 * 0.2 / (2 * values) ** 0.5)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_without_gaps_it_samples_as_flow_matching(method: Any) -> None:
    model = exact()
    drawn = model.sample(3, torch.Generator().manual_seed(1), method=method, steps=5)
    z = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn, solve(method, Gaussian(0.1, 0.2).velocity, z, 5).clamp(-1, 1))


@pytest.mark.parametrize("objective", ["split-meanflow", "shortcut"])
def test_a_ratio_that_the_objective_has_no_use_for_is_refused(objective: Objective) -> None:
    with pytest.raises(ValueError, match=f"ratio=0.2: objective={objective} .* choose from soflow, consistency"):
        small(objective=objective, ratio=0.2)


def test_jumps_that_consistency_does_not_learn_are_refused() -> None:
    model = small(objective="consistency")
    with pytest.raises(ValueError, match="steps=4: objective=consistency .* choose method=consistency"):
        model.check_sampler(method="map", steps=4)
    for sampler in ({}, {"steps": 1}, {"method": "consistency", "steps": 4}, {"method": "euler", "steps": 4}):
        model.check_sampler(**sampler)  # type: ignore[arg-type]
    small().check_sampler(method="map", steps=4)


def test_a_training_learns_the_velocity_first_and_then_the_map_too(fit: Callable[..., L.Trainer]) -> None:
    """By the share of its batches that is done."""
    model, seen = small(flow_first=0.5), list[tuple[float, float]]()
    draw = model.draw_rows

    def spied(n: int, done: float, like: Tensor) -> Tensor:
        rows = draw(n, done, like)
        seen.append((done, rows[:, 3].mean().item()))
        return rows

    model.draw_rows = spied
    fit(model, [(torch.rand(4, *SHAPE), torch.zeros(4))] * 8)
    assert seen == [(i / 8, 0.0 if i < 4 else 0.25) for i in range(8)]


@pytest.mark.parametrize(
    ("objective", "near"), [("split-meanflow", 0.5), pytest.param("soflow", 0.2, marks=pytest.mark.slow)]
)
def test_one_step_tells_two_points_of_the_plane_apart(
    objective: Objective, near: float, fit: Callable[..., L.Trainer]
) -> None:
    """Which the velocity cannot: one Euler step leads to their middle. Half at each; five standard errors."""
    network = {"architecture": "linear", "hidden": 64, "blocks": 2, "learning_rate": 5e-3, "warmup": 10}
    model = FlowMap(DataSpec((2, 1, 1)), objective=objective, flow_first=0.4, flow_share=0.5, **network)  # type: ignore[arg-type]
    points = torch.tensor([[-0.6, 0.2], [0.6, -0.2]]).view(2, 2, 1, 1)
    fit(model, [(points[torch.randint(2, (128,))], torch.zeros(128)) for _ in range(600)])

    def distances(**sampler: Any) -> Tensor:
        drawn = model.sample(1000, torch.Generator().manual_seed(0), **sampler)
        return torch.cdist(drawn.flatten(1), points.flatten(1))

    assert (distances(method="euler", steps=1).amin(1) < 0.15).float().mean() < 0.1
    for steps, share in ((1, near), (4, 0.8)):
        drawn = distances(steps=steps)
        assert (drawn.amin(1) < 0.15).float().mean() > share
        assert (drawn[:, 0] < drawn[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.08)
