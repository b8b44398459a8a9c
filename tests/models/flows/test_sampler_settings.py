"""A flow's guided evaluations count twice, and lie in the interval of noise levels."""

import pytest
import torch

from models.flows.sampler_settings import FlowSettings, sigma


def test_sigma_is_noise_over_signal() -> None:
    assert [sigma(t) for t in (0.0, 0.5, 0.75, 1.0)] == [0.0, 1.0, 3.0, float("inf")]


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        (FlowSettings("euler", 4), 4),
        (FlowSettings("heun", 4), 7),
        (FlowSettings("euler", 4, label_guidance=0.0), 4),
        (FlowSettings("euler", 4, label_guidance=1.0), 8),
        (FlowSettings("heun", 4, label_guidance=1.0), 14),
        # Euler evaluates at t = 1, .75, .5, .25: sigma = inf, 3, 1, 1/3
        (FlowSettings("euler", 4, label_guidance=1.0, guided_to=3.0), 7),
        (FlowSettings("euler", 4, label_guidance=1.0, guided_from=1.0, guided_to=3.0), 5),
    ],
)
def test_a_guided_evaluation_counts_twice(settings: FlowSettings, passes: int) -> None:
    assert settings.passes() == passes


def test_times_of_the_interval_are_guided() -> None:
    settings = FlowSettings("euler", 4, label_guidance=1.0, guided_from=0.5, guided_to=3.0)
    assert [settings.guided(torch.full((2,), t)) for t in (1.0, 0.75, 0.5, 0.25)] == [False, True, True, False]
    assert FlowSettings(label_guidance=1.0).guided(torch.ones(2))


def test_an_interval_without_guidance_is_refused() -> None:
    with pytest.raises(ValueError, match="guided_to=3: there is no guidance"):
        FlowSettings(guided_to=3.0)
