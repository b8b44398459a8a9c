"""W&B's distributions: closed forms at given shares of the draws."""

import math
from typing import Any

import pytest
from scipy import special

from bench.sweep.distributions import Choice, Range, parse_parameter

SHARES = [0.001, 0.2, 0.5, 0.77, 0.999]


def number(**given: Any) -> Range:
    made = parse_parameter("parameters.x", given)
    assert isinstance(made, Range)
    return made


@pytest.mark.parametrize("u", SHARES)
def test_values_are_the_distributions_closed_forms_at_a_share_u_of_the_draws(u: float) -> None:
    near = pytest.approx
    assert number(min=2.0, max=5).at(u) == near(2 + 3 * u)
    assert number(distribution="log_uniform_values", min=0.01, max=10.0).at(u) == near(0.01 * 1000**u)
    assert number(distribution="log_uniform", min=-2.0, max=1.0).at(u) == near(math.exp(-2 + 3 * u))
    # X with log(1/X) uniform over the bounds: a share u of the X lies below where 1 - u of log(1/X) does
    assert math.log(1 / number(distribution="inv_log_uniform", min=-2.0, max=1.0).at(u)) == near(1 - 3 * u)
    assert number(distribution="inv_log_uniform_values", min=0.01, max=10.0).at(u) == near(0.01 * 1000**u)
    normal = 1.5 + 2 * special.ndtri(u)
    assert number(distribution="normal", mu=1.5, sigma=2.0).at(u) == near(normal)
    assert number(distribution="log_normal", mu=1.5, sigma=2.0).at(u) == near(math.exp(normal))
    x = number(distribution="beta", a=2, b=2).at(u)
    assert 3 * x**2 - 2 * x**3 == near(u)


@pytest.mark.parametrize("u", SHARES)
@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta"])
def test_a_quantised_value_is_the_multiple_of_q_nearest_to_the_plain_one(kind: str, u: float) -> None:
    given = {} if kind in ("normal", "log_normal", "beta") else {"min": 0.5, "max": 3.0}
    plain = number(distribution=kind, **given).at(u)
    for q in (0.25, 1):
        value = number(distribution=f"q_{kind}", q=q, **given).at(u)
        assert value == round(plain / q) * q
        assert isinstance(value, type(q)), "whole steps give whole numbers, for settings that must be"


def test_a_choice_has_its_share_of_the_draws() -> None:
    one = parse_parameter("parameters.x", {"values": ["a", "b", "c"], "probabilities": [0.5, 0.0, 0.5]})
    assert isinstance(one, Choice)
    assert [one.at(one.coordinate(u)) for u in (0.0, 0.499, 0.5, 0.999)] == ["a", "a", "c", "c"]
    whole = parse_parameter("parameters.x", {"min": -1, "max": 2})
    assert [whole.at(whole.coordinate((k + 0.5) / 4)) for k in range(4)] == [-1, 0, 1, 2]
