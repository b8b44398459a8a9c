"""Samplers against diffusers' schedulers, and against the one distribution whose denoiser is known: a Gaussian."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.diffusion.grids import even
from models.diffusion.process import Process, linear_beta
from models.diffusion.samplers import Denoiser, ancestral, ancestral_path, ddim

T = 1000
GAUSSIANS = [(0.3, 0.5), (-0.7, 0.1), (0.1, 1.0), (0.5, 2.0)]
gaussians = pytest.mark.parametrize(("mu", "sigma"), GAUSSIANS)


@pytest.fixture(scope="module")
def process() -> Process:
    return Process(linear_beta(T))


def arbitrary(x: Tensor, t: Tensor) -> Tensor:
    """A denoiser that depends on everything it is given and predicts x_0 on both sides of the clip."""
    time = t.view(-1, 1, 1, 1) / T
    return 0.9 * x + 0.3 * torch.sin(3 * x + 5 * time) + 0.2 * time


def exact(process: Process, mu: float, sigma: float) -> Denoiser:
    """E[eps | x_t] when x_0 ~ N(mu, sigma^2), since x_t and eps are jointly Gaussian."""

    def eps(x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = process.alpha_bar[t].view(-1, 1, 1, 1)
        variance_t = alpha_bar * sigma**2 + 1 - alpha_bar
        return (1 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * mu) / variance_t

    return eps


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


class UnitNoise:
    """torch.randn that gives the k-th call's noise, a one, to row k + 1 alone: a linear sampler's rows are then the
    effects of each of its noises."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, shape: torch.Size, **_: Any) -> Tensor:
        self.calls += 1
        z = torch.zeros(shape, dtype=torch.float64)
        z[self.calls + 1] = 1
        return z


def ddim_output(process: Process, mu: float, sigma: float, steps: int, mean_T: float = 0.0) -> tuple[float, float]:
    """Mean and deviation of DDIM's output, exactly, for x_T ~ N(mean_T, 1) and the Gaussian's denoiser."""
    at_mean, one_above = ddim(
        exact(process, mu, sigma), process, column(mean_T, mean_T + 1), even(T, steps), torch.Generator(), clip=False
    ).flatten()
    return at_mean.item(), (one_above - at_mean).abs().item()


def ancestral_output(
    process: Process, mu: float, sigma: float, steps: int, monkeypatch: pytest.MonkeyPatch, mean_T: float = 0.0
) -> tuple[float, float]:
    """The same of the ancestral sampler, whose every noise adds its squared effect to the variance."""
    noise = UnitNoise()
    x_T = column(mean_T, mean_T + 1, *[mean_T] * (steps - 1))
    with monkeypatch.context() as patched:
        patched.setattr(torch, "randn", noise)
        out = ancestral(
            exact(process, mu, sigma), process, x_T, even(T, steps), torch.Generator(), clip=False
        ).flatten()
    assert noise.calls == steps - 1, "noise on every step but the last"
    return out[0].item(), (out[1:] - out[0]).square().sum().sqrt().item()


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_the_denoiser_is_asked_at_each_visited_time_but_zero(process: Process, sampler: str) -> None:
    asked: list[Tensor] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return arbitrary(x, t)

    x_T = torch.randn(3, 1, 2, 2)
    method: Callable[..., Tensor] = ancestral if sampler == "ancestral" else ddim
    method(spy, process, x_T, even(T, 7), torch.Generator())
    assert [t.tolist() for t in asked] == [[t] * 3 for t in even(T, 7)[:-1]]
    assert all(t.dtype == torch.int64 for t in asked)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("steps", [1, 8, 50, 1000])
def test_ddim_is_diffusers_ddim(process: Process, steps: int, clip: bool) -> None:
    """Step for step, with "trailing" spacing (T, T - T/S, ...), whose last step reaches the data (alpha_bar = 1).

    A clipped x_0 changes the noise that goes with it: diffusers does that under `use_clipped_model_output`.
    """
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=clip,
        set_alpha_to_one=True, timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64), 0)
    scheduler.set_timesteps(steps)
    assert [int(index) + 1 for index in scheduler.timesteps] == even(T, steps)[:-1]
    x_T = torch.randn(4, 1, 3, 3, dtype=torch.float64)

    theirs, path = x_T, []
    for index in scheduler.timesteps:
        eps = arbitrary(theirs, index.repeat(4) + 1)
        theirs = scheduler.step(eps, index, theirs, eta=0.0, use_clipped_model_output=True).prev_sample
        path.append(theirs)

    visited: list[Tensor] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        visited.append(x)
        return arbitrary(x, t)

    ours = ddim(spy, process, x_T, even(T, steps), torch.Generator(), clip=clip)
    for mine, their in zip([*visited[1:], ours], path, strict=True):
        torch.testing.assert_close(mine, their, rtol=1e-6, atol=1e-6)
    other = ddim(arbitrary, process, x_T, even(T, steps), torch.Generator(), clip=not clip)
    assert not torch.allclose(ours, other), "the clip is put to the test"


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("steps", [1, 8, 50, 1000])
def test_ancestral_is_diffusers_ddpm_with_the_same_noise(process: Process, steps: int, clip: bool) -> None:
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(
        num_train_timesteps=T, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", variance_type="fixed_small",
        clip_sample=clip, timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64), 0)
    scheduler.set_timesteps(steps)
    x_T = torch.randn(4, 1, 3, 3)

    theirs, generator = x_T, torch.Generator().manual_seed(5)
    for index in scheduler.timesteps:
        eps = arbitrary(theirs, index.repeat(4) + 1)
        theirs = scheduler.step(eps, index, theirs, generator=generator).prev_sample.float()

    ours = ancestral(arbitrary, process, x_T, even(T, steps), torch.Generator().manual_seed(5), clip=clip)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    other = ancestral(arbitrary, process, x_T, even(T, steps), torch.Generator().manual_seed(5), clip=not clip)
    assert not torch.allclose(ours, other), "the clip is put to the test"


@gaussians
@pytest.mark.parametrize("steps", [1, 10, 1000])
def test_from_the_processs_own_end_the_mean_is_exact_in_any_number_of_steps(
    process: Process, mu: float, sigma: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E x_T = sqrt(alpha_bar_T) mu is where the process ends, which N(0, I) only nearly is."""
    end = process.alpha_bar[T].sqrt().item() * mu
    assert ddim_output(process, mu, sigma, steps, end)[0] == pytest.approx(mu, abs=1e-9)
    assert ancestral_output(process, mu, sigma, steps, monkeypatch, end)[0] == pytest.approx(mu, abs=1e-9)


@gaussians
def test_with_the_exact_denoiser_both_samplers_recover_mean_and_deviation(
    process: Process, mu: float, sigma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Propagated exactly, not drawn, from N(0, I) in T steps.

    What remains is the steps' first-order error in the deviation, and, in the mean, what is left of it at T: at most
    sqrt(alpha_bar_T) = 0.0064 times mu and sigma.
    """
    for mean, deviation in (
        ddim_output(process, mu, sigma, T),
        ancestral_output(process, mu, sigma, T, monkeypatch),
    ):
        assert mean == pytest.approx(mu, abs=0.0064 * abs(mu) * max(1, sigma))
        assert deviation == pytest.approx(sigma, abs=0.005 * max(1, sigma))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_the_deviations_error_is_of_first_order(
    process: Process, sampler: str, sigma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times the steps, a tenth of the error: the samplers converge to the Gaussian, not to something near it."""
    output: Callable[[int], tuple[float, float]] = {
        "ddim": lambda steps: ddim_output(process, 0.2, sigma, steps),
        "ancestral": lambda steps: ancestral_output(process, 0.2, sigma, steps, monkeypatch),
    }[sampler]
    errors = [sigma - output(steps)[1] for steps in (100, 1000)]
    assert 8 < errors[0] / errors[1] < 11


def test_a_single_point_is_reached_exactly_in_any_number_of_steps(process: Process) -> None:
    for steps in (1, 3, 20, 1000):
        x_T = torch.randn(5, 1, 1, 1, dtype=torch.float64)
        point = torch.full_like(x_T, 0.4)
        torch.testing.assert_close(
            ddim(exact(process, 0.4, 0.0), process, x_T, even(T, steps), torch.Generator(), clip=False), point
        )
        drawn = ancestral(exact(process, 0.4, 0.0), process, x_T, even(T, steps), torch.Generator(), clip=False)
        torch.testing.assert_close(drawn, point)


def test_drawn_noise_has_the_moments_that_were_propagated(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ancestral sampler with its real generator, within four standard errors of 20,000 draws."""
    n, steps, mu, sigma = 20_000, 20, 0.3, 0.5
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randn(n, 1, 1, 1, generator=generator, dtype=torch.float64)
    drawn = ancestral(exact(process, mu, sigma), process, x_T, even(T, steps), generator, clip=False)
    mean, deviation = ancestral_output(process, mu, sigma, steps, monkeypatch)
    assert drawn.mean().item() == pytest.approx(mean, abs=4 * deviation / n**0.5)
    assert drawn.std().item() == pytest.approx(deviation, abs=4 * deviation / (2 * n) ** 0.5)


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_the_clip_keeps_every_predicted_image_in_range(process: Process, sampler: str) -> None:
    """A denoiser whose x_0 is 3 everywhere yields white, where it is clipped, and 3 where it is not."""

    def three(x: Tensor, t: Tensor) -> Tensor:
        return process.predict_eps(x, int(t[0]), torch.full_like(x, 3.0))

    x_T = torch.randn(2, 1, 2, 2, dtype=torch.float64)
    for clip, value in ((True, 1.0), (False, 3.0)):
        if sampler == "ddim":
            drawn = ddim(three, process, x_T, even(T, 10), torch.Generator(), clip=clip)
        else:
            drawn = ancestral(three, process, x_T, even(T, 10), torch.Generator(), clip=clip)
        torch.testing.assert_close(drawn, torch.full_like(x_T, value))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_the_ancestral_path_ends_in_what_the_sampler_draws(process: Process, steps: int, clip: bool) -> None:
    """And leaves x_T and every frame as they were when it passed them."""
    x_T = torch.randn(2, 1, 3, 3)
    kept = x_T.clone()
    path = [
        (t, x, x.clone())
        for t, x in ancestral_path(arbitrary, process, x_T, even(T, steps), torch.Generator().manual_seed(1), clip)
    ]
    assert [t for t, _, _ in path] == even(T, steps)
    assert torch.equal(path[0][1], kept)
    assert all(torch.equal(x, then) for _, x, then in path)
    drawn = ancestral(arbitrary, process, x_T, even(T, steps), torch.Generator().manual_seed(1), clip)
    assert torch.equal(path[-1][1], drawn)


def test_along_the_path_of_a_point_every_frame_has_the_processs_own_moments(process: Process) -> None:
    """q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, 1 - alpha_bar_t) at every time, within five standard errors."""
    n, mu = 20_000, 0.4
    generator = torch.Generator().manual_seed(0)
    end = process.alpha_bar[T]
    x_T = end.sqrt() * mu + (1 - end).sqrt() * torch.randn(n, 1, 1, 1, generator=generator, dtype=torch.float64)
    for t, x in ancestral_path(exact(process, mu, 0.0), process, x_T, even(T, 8), generator, clip=False):
        alpha_bar = process.alpha_bar[t].item()
        deviation = (1 - alpha_bar) ** 0.5
        assert x.mean().item() == pytest.approx(alpha_bar**0.5 * mu, abs=5 * deviation / n**0.5 + 1e-6)
        assert x.std().item() == pytest.approx(deviation, abs=5 * deviation / (2 * n) ** 0.5 + 1e-6)
