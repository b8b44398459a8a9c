"""What a sweep file asks for: grids are products, draws follow W&B's distributions, nonsense is one sentence."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.config.load import load
from bench.config.schema import ConfigError
from bench.sweep.search_space import SweepFile, assignment_at, assignments, draw, read

COMMAND = ["bench", "train", "${args_no_hyphens}"]
SHARES = [0.001, 0.2, 0.5, 0.77, 0.999]


def asked(method: str = "grid", **keys: Any) -> SweepFile:
    return SweepFile(**{"method": method, "command": COMMAND, "parameters": {"seed": {"values": [0]}}, **keys})


def test_a_grid_is_the_product_in_the_files_order_and_its_last_parameter_changes_first() -> None:
    file = asked(parameters={"b": {"values": ["x", "y"]}, "c": {"value": 7}, "a": {"min": 1, "max": 3}})
    expected = [{"b": b, "c": 7, "a": a} for b in "xy" for a in (1, 2, 3)]
    assert list(assignments(file)) == expected
    assert list(assignments(file.model_copy(update={"run_cap": 4}))) == expected[:4]


def test_a_grid_steps_through_q_uniform_from_min_up_to_below_max() -> None:
    file = asked(parameters={"x": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}})
    assert [one["x"] for one in assignments(file)] == [0.0, 0.25, 0.5, 0.75]


def test_nested_parameters_come_to_the_same_configuration_as_dotted_ones() -> None:
    nested = {"train": {"parameters": {"images": {"values": [640, 320]}, "batch": {"value": 32}}}, "seed": {"value": 3}}
    (first, second) = assignments(asked(parameters=nested))
    assert first == {"train": {"images": 640, "batch": 32}, "seed": 3}
    assert second == {"train": {"images": 320, "batch": 32}, "seed": 3}
    words = [f"{key}={value}" for key, value in first.items()]
    assert load(["model=vae", *words]) == load(["model=vae", "train.images=640", "train.batch=32", "seed=3"])


def test_the_same_random_file_draws_the_same_cells_and_a_greater_cap_adds_to_them() -> None:
    parameters = {"x": {"min": 0.0, "max": 1.0}, "y": {"values": list("abcde")}, "z": {"distribution": "normal"}}
    few, many = (list(assignments(asked("random", parameters=parameters, run_cap=cap))) for cap in (5, 9))
    assert many[:5] == few
    assert len({one["x"] for one in many}) == 9
    assert list(assignments(asked("random", parameters=parameters, run_cap=5, name="other", description="!"))) == few
    wider = parameters | {"x": {"min": 0.0, "max": 2.0}}
    assert list(assignments(asked("random", parameters=wider, run_cap=5))) != few


def test_draws_are_spread_evenly_over_the_shares_of_the_distribution() -> None:
    file = asked("random", parameters={"x": {"min": 0.0, "max": 1.0}}, run_cap=2000)
    shares = sorted(draw(file, k)["x"] for k in range(2000))
    distance = max(abs(share - (k + 0.5) / 2000) for k, share in enumerate(shares))
    assert distance < 1.63 / math.sqrt(2000), "Kolmogorov-Smirnov at 1%"


def test_lists_are_values_like_any_other() -> None:
    file = asked(parameters={"model.channels": {"values": [[8, 8], [16, 16]]}})
    assert [assignment_at(file, {"model.channels": k})["model.channels"] for k in (0, 1)] == [[8, 8], [16, 16]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "parameters.x=3: not a parameter; write value: X, values: [X, Y], or min: and max:"),
        ({"values": []}, "parameters.x.values=[]"),
        ({"values": [1, None]}, "null cannot be passed to a command"),
        ({"min": 1}, "parameters.x.max: missing"),
        ({"min": "1e-4", "max": 1.0}, "parameters.x.min=1e-4: YAML reads this as text; write a number as 10, 0.0001"),
        ({"min": 3.0, "max": 3.0}, "parameters.x.min=3.0: must be below parameters.x.max=3.0"),
        ({"min": 3, "max": 2}, "parameters.x.min=3: must not be above"),
        ({"distribution": "log_uniform_values", "min": 0.0, "max": 1.0}, "parameters.x.min=0.0"),
        ({"distribution": "norml"}, "did you mean normal?"),
        ({"distribution": "normal", "sigma": 0.0}, "parameters.x.sigma=0.0"),
        ({"distribution": "q_normal", "q": 0}, "parameters.x.q=0: expected a number above 0"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "expected one for each of the 2 values, with a sum of 1"),
        ({"value": 1, "vlaue": 2}, "parameters.x.vlaue: unknown key (did you mean value?)"),
        ({"parameters": {}}, "parameters.x: expected at least one parameter"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_one_sentence(given: Any, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        list(assignments(asked(parameters={"x": given})))
    assert said in str(error.value)


def test_a_grid_of_a_continuous_parameter_is_refused() -> None:
    with pytest.raises(ConfigError, match="method=grid needs a list of values"):
        list(assignments(asked(parameters={"x": {"min": 0.0, "max": 1.0}})))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: [grid", "cannot be read as YAML"),
        ("- grid", "expected a mapping with W&B's keys"),
        ("method: gird", "method=gird: input should be 'grid', 'random' or 'bayes'"),
        ("methd: grid", "key=methd: unknown (did you mean method?)"),
        ("method: random", "run_cap: missing; method=random draws without end"),
        ("{method: bayes, run_cap: 3}", "metric: missing"),
        ("early_terminate: {type: hyperband}", "every run is evaluated at the end of its budget"),
    ],
)
def test_a_file_that_is_no_sweep_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    if text.startswith(("method: g", "method: r", "{")):
        whole = {"command": COMMAND, "parameters": {"seed": {"value": 0}}} | yaml.safe_load(text)
        file.write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigError) as error:
        read(str(file))
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(
        ConfigError, match="no such file or directory; name a sweep file, or one .*: beyond, .*families, gan"
    ):
        read("famlies")
    assert read("families").name == "families"
