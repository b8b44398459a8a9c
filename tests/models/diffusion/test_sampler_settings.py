"""A sampler's settings: what they draw, what they cost, and what does not fit together."""

import pytest
import torch
from torch import Tensor

from models.diffusion.grids import even, karras, log_snr
from models.diffusion.noise_levels import geometric
from models.diffusion.process import Process, cosine_beta, sigma_beta
from models.diffusion.sampler_settings import SamplerSettings
from models.diffusion.samplers import ancestral, ddim
from models.diffusion.solvers import dpm_solver_2m, heun, unipc

PROCESS = Process(cosine_beta(200))


def denoiser(x: Tensor, t: Tensor) -> Tensor:
    return 0.9 * x + 0.1 * torch.sin(3 * x) + 0.001 * t.view(-1, 1, 1, 1)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("sampler", [
    SamplerSettings(), SamplerSettings("ddim", 7), SamplerSettings("ddim", 7, eta=0.5),
    SamplerSettings("dpm-solver", 7, "karras", eta=1.0), SamplerSettings("dpm-solver", 7, "log-snr", None, 20.0, 0.1),
    SamplerSettings("unipc", 1), SamplerSettings("unipc", 7, "karras"), SamplerSettings("unipc"),
    SamplerSettings("heun", 1), SamplerSettings("heun", 2), SamplerSettings("heun", 7, "karras"),
])  # fmt: skip
def test_settings_draw_what_their_method_draws(sampler: SamplerSettings) -> None:
    x, visited = torch.randn(2, 1, 3, 3), sampler.visited(PROCESS)
    eta = sampler.eta or 0.0
    expected = {
        "ancestral": lambda: ancestral(denoiser, PROCESS, x, visited, seeded()),
        "ddim": lambda: ddim(denoiser, PROCESS, x, visited, seeded(), eta),
        "dpm-solver": lambda: dpm_solver_2m(denoiser, PROCESS, x, visited, seeded(), eta),
        "unipc": lambda: unipc(denoiser, PROCESS, x, visited),
        "heun": lambda: heun(denoiser, PROCESS, x, visited),
    }[sampler.method]()
    calls: list[None] = []

    def counted(x: Tensor, t: Tensor) -> Tensor:
        calls.append(None)
        return denoiser(x, t)

    assert torch.equal(sampler.draw(counted, PROCESS, x, seeded()), expected)
    assert len(calls) == sampler.passes(PROCESS)


def test_grids_are_the_named_ones() -> None:
    assert SamplerSettings().visited(PROCESS) == even(200, 200)
    assert SamplerSettings("ddim", 7).visited(PROCESS) == even(200, 7)
    assert SamplerSettings("ddim", 7, "log-snr").visited(PROCESS) == log_snr(PROCESS, 7)
    assert SamplerSettings("heun", 7, "karras", None, 20.0, 0.1).visited(PROCESS) == karras(PROCESS, 7, 20.0, 0.1)


@pytest.mark.parametrize(("settings", "message"), [
    ({"method": "heun", "eta": 0.5}, "eta=0.5: method=heun draws no noise"),
    ({"method": "unipc", "eta": 0.0}, "eta=0: method=unipc draws no noise; leave eta out"),
    ({"method": "ancestral", "eta": 0.5}, "eta=0.5: method=ancestral draws all"),
    ({"sigma_max": 20.0}, "sigma_max=20: grid=time"),
    ({"method": "heun", "sigma_min": 0.1}, "sigma_min=0.1: grid=time"),
])  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamplerSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("settings", "message"), [
    (SamplerSettings("unipc", 201), "steps=201 must lie between 1 and T=200"),
    (SamplerSettings("unipc", 201, "karras"), "steps=201 must lie between 1 and T=200"),
    (SamplerSettings("unipc", 190, "karras"), "steps=190: rounded to the .* some would be visited twice"),
    (SamplerSettings("unipc", 5, "log-snr", None, 1e9), "sigma_max=1e.09, .* the range of this process"),
])  # fmt: skip
def test_times_that_the_process_does_not_have_are_refused(settings: SamplerSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings.visited(PROCESS)


def test_a_grid_keeps_to_the_process_where_that_does_not_reach_the_usual_levels() -> None:
    """And a level that is asked for by name is not changed."""
    process = Process(sigma_beta(geometric(10.0, 0.1, 60)))
    visited = SamplerSettings("heun", 8, "karras").visited(process)
    assert visited[:2] + visited[-2:] == [60, 59, 1, 0]
    with pytest.raises(ValueError, match="sigma_max=35, .* <= 9"):
        SamplerSettings("heun", 8, "karras", sigma_max=35.0).visited(process)
