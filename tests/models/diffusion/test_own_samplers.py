"""A user's function draws what it returns; the times at which it evaluates the denoiser are found by a trial."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from models.diffusion.own_samplers import OWN, TRIED, Function, evaluated_times, own_sampler
from models.diffusion.process import Process, cosine_beta
from models.diffusion.sampler_settings import SamplerSettings
from models.diffusion.samplers import Denoiser, ddim
from models.diffusion.solvers import heun

PROCESS = Process(cosine_beta(200))
STEPS = 7


def own_ddim(denoiser: Denoiser, process: Process, x: Tensor, times: Sequence[int], g: torch.Generator) -> Tensor:
    return ddim(denoiser, process, x, times, g, 1.0)


def own_heun(denoiser: Denoiser, process: Process, x: Tensor, times: Sequence[int], g: torch.Generator) -> Tensor:
    return heun(denoiser, process, x, times)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    functions: dict[str, Function] = {"ddim-1": own_ddim, "heun-1": own_heun}
    OWN.update(functions)
    yield
    for key in functions:
        del OWN[key]


def denoiser(x: Tensor, t: Tensor) -> Tensor:
    return 0.9 * x + 0.001 * t.view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("own", "suites"),
    [
        (SamplerSettings(steps=STEPS, function="ddim-1"), SamplerSettings("ddim", STEPS, eta=1.0)),
        (SamplerSettings(steps=STEPS, grid="karras", function="heun-1"), SamplerSettings("heun", STEPS, "karras")),
        (
            SamplerSettings(steps=STEPS, function="heun-1", label_guidance=1.0, guided_from=0.5),
            SamplerSettings("heun", STEPS, label_guidance=1.0, guided_from=0.5),
        ),
    ],
)
def test_a_copy_of_a_sampler_is_that_sampler(own: SamplerSettings, suites: SamplerSettings) -> None:
    x = torch.randn(2, 1, 4, 4)
    drawn = [settings.draw(denoiser, PROCESS, x, torch.Generator().manual_seed(3)) for settings in (own, suites)]
    assert torch.equal(*drawn)
    assert sorted(own.evaluated(PROCESS)) == sorted(suites.evaluated(PROCESS))
    assert own.passes(PROCESS) == suites.passes(PROCESS)


def test_settings_that_a_function_has_no_use_for_are_refused() -> None:
    with pytest.raises(ValueError, match="method=ddim: function=ddim-1 draws by itself; leave one of them out"):
        SamplerSettings("ddim", STEPS, function="ddim-1")
    with pytest.raises(ValueError, match="eta=0.5: function=ddim-1 draws by itself"):
        SamplerSettings(steps=STEPS, eta=0.5, function="ddim-1")
    with pytest.raises(ValueError, match=r"function=other-2: was not named by its place, as in samplers="):
        own_sampler("other-2")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "returns NoneType for x of "),
        (torch.zeros(2, 3), r"returns \(2, 3\) for x of"),
        (torch.full(TRIED, torch.nan), "returns NaN or infinity"),
        (ZeroDivisionError(), "raises ZeroDivisionError$"),
        (KeyError("a\nb"), "raises KeyError: 'a"),
    ],
)
def test_a_function_that_gives_no_images_is_one_sentence(
    result: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setitem(OWN, "broken-1", broken)
    with pytest.raises(ValueError, match=f"^function=broken-1: {said}"):
        evaluated_times("broken-1", PROCESS, [200, 100, 0])
