"""A trained run is measured at every number of steps that its samplers can take, once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.components import find
from bench.config.schema import ConfigError
from bench.runs.steps import kinds_of


def test_each_sampler_and_number_is_a_result_a_curve_has_a_picture_and_nothing_is_measured_twice(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("ddpm")
    (file,) = Path("r/records").glob("ddpm-*.json")
    words = ["steps", file.stem, "results=r", "samplers=[ddim]", "steps=[1,2,3,4,1000000]"]
    assert main(words) == 0
    assert "left out: ddim-1000000" in "".join(capsys.readouterr())
    protocols = [result["protocol"] for result in json.loads(file.read_text())["results"].values()]
    measured = {protocol["sampler"] for protocol in protocols}
    assert measured >= {f"ddim-{count}" for count in (1, 2, 3, 4)}
    assert Path(f"r/pictures/{file.stem}/steps.png").stat().st_size > 1000
    before = file.read_bytes()
    assert main(words) == 0
    assert json.loads(file.read_text())["results"] == json.loads(before)["results"]


def test_samplers_are_those_that_fit_the_model() -> None:
    solvers = ["ancestral", "autoguided", "ddim", "dpm-solver", "edm-heun", "heun", "sde-dpm-solver", "unipc"]
    assert kinds_of(find("model", "ddpm")) == solvers
    assert kinds_of(find("model", "dae")) == ["chain"]
    assert kinds_of(find("model", "flow_map")) == ["consistency", "euler", "flow", "heun"]
    assert kinds_of(find("model", "flow_matching")) == ["euler", "heun"]
    with pytest.raises(ConfigError, match="model=vae has no sampler with a number of steps"):
        kinds_of(find("model", "vae"))


def test_an_unknown_sampler_and_steps_that_none_can_take_are_refused(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("ddpm")
    (file,) = Path("r/records").glob("ddpm-*.json")
    for words, part in {
        "samplers=[ddin]": "samplers=ddin: unknown (did you mean ddim?)",
        "samplers=[chain]": "samplers=chain: unknown",
        "steps=[1000000]": "can draw by none of ancestral-1000000",
        "train.images=5": "train",
    }.items():
        assert main(["steps", file.stem, "results=r", words]) == 2
        assert part in capsys.readouterr().err


def test_a_sampler_of_the_users_own_is_measured_in_its_steps(
    finished: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    finished("ddpm")
    (file,) = Path("r/records").glob("ddpm-*.json")
    Path("own.yaml").write_text("method: ddim\neta: 0.5\n")
    asked: list[list[str]] = []
    monkeypatch.setattr("bench.runs.steps.reevaluate", lambda run, words: asked.append(words))
    assert main(["steps", file.stem, "results=r", "samplers=[./own.yaml,ddim]", "steps=[1,1000000]"]) == 0
    assert asked == [["samplers=[./own.yaml-1,ddim-1]", "results=r"]]
