"""The DDPM's assembly: what its loss asks of the network, at which times, and which sampler its settings mean."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from models.base import DataSpec
from models.ddpm import DDPM, TIMES
from models.diffusion.bound import borders, decoder_term, prior_term, step_term, variational_bound
from models.diffusion.grids import even
from models.diffusion.process import Process, cosine_beta
from models.diffusion.sampler_settings import SamplerSettings
from models.diffusion.samplers import ancestral, ddim
from models.losses import bits_per_dim
from models.networks.perceptron import ResidualPerceptron
from models.protocols import BoundsLikelihood, Diffuses

SHAPE = (1, 6, 5)


def small(**changes: Any) -> DDPM:
    settings: dict[str, Any] = {"T": 12, "channels": [16], "warmup": 1}
    return DDPM(DataSpec(SHAPE), **(settings | changes))


class Oracle(nn.Module):
    """Knows x_0, and so the exact eps in any x_t: by its own formula, from the process's variances alone."""

    def __init__(self, beta: Tensor, x_0: Tensor) -> None:
        super().__init__()
        self.alpha_bar = torch.cumprod(1 - beta, 0)  # of t = 1 ... T
        self.x_0 = x_0
        self.asked: list[Tensor] = []

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        self.asked.append(t)
        alpha_bar = self.alpha_bar[t - 1].view(-1, 1, 1, 1)
        return ((x_t.double() - alpha_bar.sqrt() * self.x_0) / (1 - alpha_bar).sqrt()).float()


def with_oracle(x_0: Tensor, **changes: Any) -> tuple[DDPM, Oracle]:
    model = small(**changes)
    beta = torch.linspace(1e-4, 0.02, model.process.T, dtype=torch.float64)
    oracle = Oracle(beta, x_0)
    model.denoiser = oracle  # type: ignore[assignment]
    model.log_losses = lambda **losses: None  # type: ignore[method-assign]
    return model, oracle


def test_the_loss_of_a_network_that_knows_the_noise_is_zero() -> None:
    x_0 = torch.rand(64, *SHAPE) * 2 - 1
    model, oracle = with_oracle(x_0)
    loss = model.training_step((x_0, torch.zeros(64)), 0)
    assert loss.item() < 1e-8
    oracle.x_0 = x_0.flip(0)  # of other images than it was given
    assert model.training_step((x_0, torch.zeros(64)), 0).item() > 1


def silent_loss(n: int = 2400, **changes: Any) -> float:
    """Of a network that answers zero to anything, as an untrained one does; every time 1 ... 12 equally often."""
    model = small(**changes)
    model.log_losses = lambda **losses: None  # type: ignore[method-assign]
    return model.training_step((torch.rand(n, *SHAPE), torch.zeros(n)), 0).item()


def test_without_weights_the_loss_of_a_silent_network_is_the_noises_variance() -> None:
    """L_simple: E eps^2 = 1, within four standard errors."""
    assert silent_loss() == pytest.approx(1, abs=4 * (2 / (2400 * 30)) ** 0.5)


@pytest.mark.parametrize("gamma", [0.5, 5.0, 1000.0])
def test_the_loss_of_a_silent_network_is_the_mean_of_its_weights(gamma: float) -> None:
    """E w eps^2 = E w: min(SNR, gamma) / SNR of each time of a steep process; four standard errors, at most."""
    alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.5, 12, dtype=torch.float64), 0)
    weights = [min(snr, gamma) / snr for snr in (alpha_bar / (1 - alpha_bar)).tolist()]
    assert min(weights) < 1
    mean = sum(weights) / 12
    assert silent_loss(snr_gamma=gamma, beta_T=0.5) == pytest.approx(mean, abs=4 * (2 / (2400 * 30)) ** 0.5)


def test_the_weights_are_those_of_an_x_0_prediction_with_a_capped_ratio() -> None:
    """Hang et al. 2023: w |eps - eps'|^2 is min(SNR, gamma) |x_0 - x_0'|^2, of whatever is predicted."""
    model = small(T=1000, snr_gamma=5.0)
    x_0, eps, predicted = torch.randn(3, 1, *SHAPE, dtype=torch.float64)
    for t in (1, 10, 100, 250, 500, 1000):
        alpha_bar = model.process.alpha_bar[t].item()
        x_t = alpha_bar**0.5 * x_0 + (1 - alpha_bar) ** 0.5 * eps
        of_x_0 = (x_0 - model.process.predict_x_0(x_t, t, predicted)).square().sum().item()
        of_eps = (eps - predicted).square().sum().item() * model.weights(torch.tensor([t])).item()
        assert of_eps == pytest.approx(min(alpha_bar / (1 - alpha_bar), 5.0) * of_x_0, rel=1e-4)


def test_a_cap_that_no_time_reaches_leaves_the_loss_as_it_is() -> None:
    every = torch.arange(1, 13)
    assert torch.equal(small(snr_gamma=1e5).weights(every), small().weights(every))
    assert small(snr_gamma=1.0).weights(every)[0] < 1


def test_every_time_from_1_to_T_is_trained_equally_often() -> None:
    """Within a batch, where times are spread evenly, to the one count that the offset decides; and never time 0."""
    x_0 = torch.zeros(6000, *SHAPE)
    model, oracle = with_oracle(x_0)
    model.training_step((x_0, torch.zeros(6000)), 0)
    counts = torch.bincount(oracle.asked[0], minlength=13)
    assert counts[0] == 0
    assert len(counts) == 13
    assert (counts[1:] - 500).abs().max() <= 1


def test_each_place_in_a_batch_has_any_time_with_equal_chance() -> None:
    """So that the spread leaves the loss unbiased; tolerance five standard errors. Whatever the size of the batch."""
    model, draws = small(), 3000
    for n in (1, 5, 31):
        t = torch.stack([model.spread_times(n, torch.device("cpu")) for _ in range(draws)])
        for place in {0, n // 2, n - 1}:
            counts = torch.bincount(t[:, place], minlength=13)[1:]
            assert counts.sum() == draws, "none is 0"
            assert (counts - draws / 12).abs().max() < 5 * (draws / 12 * 11 / 12) ** 0.5
        spread = torch.stack([torch.bincount(row, minlength=13)[1:] for row in t])
        assert spread.max() <= -(-n // 12) + 1


def test_with_the_exact_noise_samplers_return_the_image_that_it_hides() -> None:
    x_0 = torch.rand(3, *SHAPE) * 2 - 1
    model, _ = with_oracle(x_0)
    for method in ("ancestral", "ddim", "unipc"):
        for steps in (1, 5, 12):
            drawn = model.sample(3, torch.Generator(), method=method, steps=steps)
            torch.testing.assert_close(drawn, x_0, rtol=0, atol=2e-5)


def test_the_check_of_a_sampler_assumes_what_sampling_does() -> None:
    parameters = inspect.signature(DDPM.sample).parameters
    for field in dataclasses.fields(SamplerSettings):
        assert parameters[field.name].default == field.default


@pytest.mark.parametrize("steps", [1, 4, 12])
@pytest.mark.parametrize("method", ["ancestral", "ddim"])
def test_a_method_is_its_sampler_from_the_generators_first_noise(method: str, steps: int) -> None:
    model = small()
    nn.init.normal_(model.denoiser.get_parameter("out.weight"), std=0.3)
    model.eval()
    drawn = model.sample(3, torch.Generator().manual_seed(4), method=method, steps=steps)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(4)
    x_T = torch.randn(3, *SHAPE, generator=generator)
    with torch.no_grad():
        if method == "ancestral":
            expected = ancestral(model.denoiser, model.process, x_T, even(12, steps), generator)
        else:
            expected = ddim(model.denoiser, model.process, x_T, even(12, steps), generator)
    assert torch.equal(drawn, expected)
    assert drawn.abs().max() <= 1


def test_the_papers_process_is_the_default() -> None:
    """Ho et al. 2020, Section 4: T = 1000, and almost nothing of the image left at its end."""
    model = DDPM(DataSpec(SHAPE), channels=[16])
    assert model.process.T == 1000
    steps = 1 - model.process.alpha_bar[1:] / model.process.alpha_bar[:-1]
    torch.testing.assert_close(steps, torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), rtol=1e-9, atol=0)
    assert model.process.alpha_bar[-1].item() == pytest.approx(4.04e-5, rel=1e-2)


def test_the_cosine_schedule_is_nichol_and_dhariwals() -> None:
    model = small(T=100, schedule="cosine")
    torch.testing.assert_close(model.process.alpha_bar, Process(cosine_beta(100)).alpha_bar, rtol=0, atol=0)


def test_the_process_is_made_from_the_constructors_variances() -> None:
    model = small(T=7, beta_1=0.1, beta_T=0.4)
    alpha_bar = torch.cumprod(1 - torch.linspace(0.1, 0.4, 7, dtype=torch.float64), 0)
    torch.testing.assert_close(model.process.alpha_bar[1:], alpha_bar, rtol=1e-12, atol=0)
    assert isinstance(model.process, Process)


def test_steps_that_the_process_does_not_have_are_refused_and_the_mode_restored() -> None:
    model = small()
    for steps in (0, 13):
        with pytest.raises(ValueError, match=f"steps={steps} .* T=12"):
            model.sample(1, torch.Generator(), steps=steps)
        with pytest.raises(ValueError, match=f"steps={steps} .* T=12"):
            model.check_sampler(steps=steps)
        assert model.training
        assert torch.is_grad_enabled()


def test_an_odd_first_width_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"channels=\[7\]"):
        small(channels=[7])


def test_the_fully_connected_network_does_not_mind_the_u_nets_settings() -> None:
    model = small(architecture="linear", channels=[7], hidden=8, blocks=3)
    assert isinstance(model.denoiser, ResidualPerceptron)
    assert len(model.denoiser.layers) == 3


def test_the_fully_connected_network_learns_two_points_of_the_plane(fit: Callable[..., L.Trainer]) -> None:
    """Samples lie at one of them, half at each: the distribution, not its mean; five standard errors."""
    network = {"architecture": "linear", "hidden": 64, "blocks": 2, "learning_rate": 5e-3, "warmup": 10}
    model = DDPM(DataSpec((2, 1, 1)), T=50, beta_T=0.3, **network)  # type: ignore[arg-type]
    points = torch.tensor([[-0.6, 0.2], [0.6, -0.2]]).view(2, 2, 1, 1)
    fit(model, [(points.repeat(64, 1, 1, 1), torch.zeros(128))] * 300)
    drawn = model.sample(1000, torch.Generator().manual_seed(0))
    distances = torch.cdist(drawn.flatten(1), points.flatten(1))
    assert (distances.min(1).values < 0.1).float().mean() > 0.95
    assert (distances[:, 0] < distances[:, 1]).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_an_overfitted_batch_is_denoised_better(fit: Callable[..., L.Trainer], toy_batches: Any) -> None:
    """A zero network's loss is 1; of one constant batch, a trained one must know most of the noise."""
    model = small(learning_rate=0.01, patch=1, warmup=10)
    x_0 = toy_batches(SHAPE, count=1)[0][0]
    n = 256
    indices, t = torch.arange(n) % 4, torch.arange(n) % 12 + 1
    eps = torch.randn(n, *SHAPE)

    def loss() -> float:
        with torch.no_grad():
            predicted = model.denoiser(model.process.q_sample(x_0[indices], t, eps), t)
            return float((predicted - eps).square().mean())

    before = loss()
    fit(model, [(x_0.repeat(8, 1, 1, 1), torch.zeros(32))] * 60)
    assert before == pytest.approx(1, abs=0.1)
    assert loss() < 0.6 * before


def test_without_keywords_it_samples_by_all_its_steps() -> None:
    model = DDPM(DataSpec((1, 8, 8)), T=7, channels=[8], patch=1)
    bare = model.sample(2, torch.Generator().manual_seed(3))
    assert torch.equal(bare, model.sample(2, torch.Generator().manual_seed(3), method="ancestral", steps=7))
    assert not torch.equal(bare, model.sample(2, torch.Generator().manual_seed(3), steps=6))


def levels(n: int) -> Tensor:
    return torch.randint(0, 256, (n, *SHAPE)) / 127.5 - 1


def shaken(**changes: Any) -> DDPM:
    model = small(**changes)
    nn.init.normal_(model.denoiser.get_parameter("out.weight"), std=0.3)
    return model


def test_the_bound_is_the_plain_sum_of_all_terms_of_a_short_process_in_bits() -> None:
    """T - 1 <= TIMES: nothing is left to chance but the noise, whose draws are the same here."""
    model, x = shaken(), levels(3)
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    generator = torch.Generator().manual_seed(6)
    steps = []
    with torch.no_grad():
        for t in range(2, 13):
            torch.randint(1, (3,), generator=generator)
            eps = torch.randn(x.shape, generator=generator)
            steps.append(step_term(model.denoiser, model.process, x, torch.full((3,), t), eps))
        last = decoder_term(model.denoiser, model.process, x, torch.randn(x.shape, generator=generator))
    expected = {"L_T": prior_term(model.process, x), "L_1:T-1": torch.stack(steps).sum(0), "L_0": last}
    assert bound.name == "variational bound"
    assert list(bound.terms) == list(expected)
    for name, nats in expected.items():
        torch.testing.assert_close(bound.terms[name], bits_per_dim(nats, 6 * 5))
    torch.testing.assert_close(bound.bits, torch.stack(list(bound.terms.values())).sum(0))


def test_the_bound_of_a_long_process_takes_one_pass_a_stratum() -> None:
    model, x = shaken(T=300), levels(2)
    asked: list[tuple[Tensor, bool, bool]] = []
    model.denoiser.register_forward_pre_hook(
        lambda unet, inputs: asked.append((inputs[1], unet.training, torch.is_grad_enabled()))
    )
    rng = torch.get_rng_state()
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(0))
    assert torch.equal(rng, torch.get_rng_state())
    assert len(asked) == TIMES + 1
    assert not any(training or grad for _, training, grad in asked)
    assert asked[-1][0].tolist() == [1, 1]
    for (t, _, _), first, end in zip(asked, borders(300, TIMES), borders(300, TIMES)[1:], strict=False):
        assert ((t >= first) & (t < end)).all()
    with torch.no_grad():
        nats = variational_bound(model.eval().denoiser, model.process, x, TIMES, torch.Generator().manual_seed(0))
    torch.testing.assert_close(bound.bits, bits_per_dim(torch.stack(list(nats.values())).sum(0), 6 * 5))


def test_a_network_that_knows_the_image_pays_for_the_prior_and_the_last_step_alone() -> None:
    """L_0 is then the entropy-like cost of a level at the centre of a Gaussian of variance beta tilde_2."""
    x = levels(4) * 0.9
    x = ((x + 1) * 127.5).round() / 127.5 - 1  # levels, and none of them the outermost
    model, _ = with_oracle(x, T=50)
    (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(0))
    assert bound.terms["L_1:T-1"].max() < 1e-4
    alpha_bar = model.process.alpha_bar
    deviation = ((1 - alpha_bar[1]) / (1 - alpha_bar[2]) * (1 - alpha_bar[2] / alpha_bar[1])).sqrt()
    bits = -torch.log2(torch.erf(1 / 255 / deviation / 2**0.5))
    torch.testing.assert_close(bound.terms["L_0"].double(), bits.expand(4), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_the_bound_is_float32_also_under_autocast(autocast: bool) -> None:
    model, x = shaken(), levels(3)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        (bound,) = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    (reference,) = model.bits_per_dim(x, torch.Generator().manual_seed(6))
    assert bound.bits.dtype == torch.float32
    torch.testing.assert_close(bound.bits, reference.bits, rtol=0.05, atol=0)


def test_the_forward_chain_is_one_line_from_the_image_to_its_noise() -> None:
    """x_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) eps with one eps; time 0 is the image itself."""
    model, x = small(), levels(4)
    visited = [0, 1, 5, 12]
    chain = model.forward_chain(x, visited, torch.Generator().manual_seed(8))
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(8))
    assert torch.equal(chain[0], x)
    for t, x_t in zip(visited, chain, strict=True):
        alpha_bar = model.process.alpha_bar[t].item()
        torch.testing.assert_close(x_t, alpha_bar**0.5 * x + (1 - alpha_bar) ** 0.5 * eps)
    ratio = (chain[2] - model.process.alpha_bar[5].sqrt().float() * x).square().mean() / eps.square().mean()
    assert ratio.item() == pytest.approx(1 - model.process.alpha_bar[5].item(), rel=1e-5)


@pytest.mark.parametrize("steps", [1, 5, 12])
def test_a_trajectory_ends_in_the_sample_that_its_generator_draws(steps: int) -> None:
    model = shaken()
    frames = list(model.trajectory(3, torch.Generator().manual_seed(4), steps))
    assert [t for t, _ in frames] == even(12, steps)
    assert torch.equal(frames[0][1], torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(4)))
    drawn = model.sample(3, torch.Generator().manual_seed(4), steps=steps)
    assert torch.equal(frames[-1][1].clamp(-1, 1), drawn)
    assert len(frames) == 2 or frames[1][1].abs().max() > 1, "the frames between are not clipped"


@pytest.mark.parametrize("training", [True, False])
def test_a_trajectory_leaves_no_trace_between_its_frames_nor_when_it_is_dropped(training: bool) -> None:
    """The caller may train, draw or stop there; the network itself is asked in evaluation mode without gradients."""
    model = shaken().train(training)
    modes: list[tuple[bool, bool]] = []
    model.denoiser.register_forward_hook(lambda unet, *_: modes.append((unet.training, torch.is_grad_enabled())))
    rng = torch.get_rng_state()
    trajectory = model.trajectory(2, torch.Generator().manual_seed(4), 12)
    for t, x_t in trajectory:
        assert torch.is_grad_enabled()
        assert all(module.training is training for module in model.modules())
        assert x_t.dtype == torch.float32
        assert not x_t.requires_grad
        if t == 5:
            break
    del trajectory
    assert modes == [(False, False)] * 7
    assert torch.is_grad_enabled()
    assert all(module.training is training for module in model.modules())
    assert torch.equal(rng, torch.get_rng_state())


def test_a_trajectory_of_steps_that_the_process_does_not_have_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"steps=13 .* T=12"):
        small().trajectory(1, torch.Generator(), 13)


def test_it_has_the_abilities_of_a_diffusion_model() -> None:
    assert isinstance(small(), Diffuses)
    assert isinstance(small(), BoundsLikelihood)


def test_a_snapshot_guides_and_counts_twice() -> None:
    model = small(snapshot=0.5)
    for number, network in enumerate(model.networks):
        generator = torch.Generator().manual_seed(number)
        for weight in network.state_dict().values():
            weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    settings: dict[str, Any] = {"method": "ddim", "steps": 4}
    assert (model.passes(**settings), model.passes(**settings, guidance=2.0)) == (4, 8)
    plain, alone, guided = (
        model.sample(2, torch.Generator().manual_seed(3), **settings, guidance=weight) for weight in (None, 1.0, 2.0)
    )
    torch.testing.assert_close(alone, plain)
    assert not torch.allclose(guided, plain)
    model.keep_snapshot(model.snapshot_weights())
    same = model.sample(2, torch.Generator().manual_seed(3), **settings, guidance=2.0)
    torch.testing.assert_close(same, plain)


def test_guidance_without_a_snapshot_is_refused() -> None:
    with pytest.raises(ValueError, match="guidance=2: the weights have no snapshot"):
        small().check_sampler(method="ddim", steps=4, guidance=2.0)
