"""An interval holds what lies above its lower and up to its upper limit."""

import pytest

from models.guidance_interval import GuidanceInterval


def test_an_interval_is_open_below_and_closed_above() -> None:
    interval = GuidanceInterval(0.2, 5.0)
    assert [sigma in interval for sigma in (0.1, 0.2, 0.3, 5.0, 5.1, float("inf"))] == [0, 0, 1, 1, 0, 0]
    assert interval.limited


def test_without_limits_every_noise_level_is_inside() -> None:
    interval = GuidanceInterval()
    assert 1e-9 in interval
    assert float("inf") in interval
    assert not interval.limited
    assert 7.0 in GuidanceInterval(guided_from=5.0)
    assert 7.0 not in GuidanceInterval(guided_to=5.0)


@pytest.mark.parametrize("guidance", [None, 0.0])
def test_limits_of_no_guidance_are_refused(guidance: float | None) -> None:
    GuidanceInterval().check(guidance)
    with pytest.raises(ValueError, match="guided_to=5: there is no guidance to limit; set label_guidance above 0"):
        GuidanceInterval(guided_to=5.0).check(guidance)


@pytest.mark.parametrize("low", [5.0, 6.0])
def test_limits_in_the_wrong_order_are_refused(low: float) -> None:
    with pytest.raises(ValueError, match=f"guided_from={low:g}: must be below guided_to=5"):
        GuidanceInterval(low, 5.0).check(1.0)
