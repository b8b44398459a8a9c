"""The command of a sweep file is what W&B's own agent would run."""

from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args, load_sweep_config

from bench.config.load import CONFIGS, names
from bench.config.schema import ConfigError
from bench.sweep.cells import cell_at, cells_of
from bench.sweep.command_template import ARGUMENTS, expand, template, words
from bench.sweep.search_space import Assignment, SweepFile, assignments, draw, read

VALUES = {"a": 3, "b": 1e-05, "c": True, "d": "x y", "e": [8, 8], "f": {"images": 640, "deep": {"on": False}}, "g": 2.0}


def asked(*command: str, program: str = "") -> SweepFile:
    return SweepFile(method="grid", command=list(command), program=program, parameters={"seed": {"values": [0, 1]}})


def by_wandb(command: list[Any], program: str, assignment: Assignment) -> list[str]:
    """The command line that W&B's agent makes of one assignment, by the two functions that the agent calls for it.

    The agent itself fills in the macros ${env}, ${program} and ${args_no_hyphens}.
    """
    macros: dict[str, list[str]] = {"${env}": ["/usr/bin/env"], "${program}": [program], ARGUMENTS: by_args(assignment)}
    return [word for part in create_sweep_command(list(command)) for word in macros.get(part, [part])]


def by_args(assignment: Assignment) -> list[str]:
    values = {key: {"value": value} for key, value in assignment.items()}
    arguments: list[str] = create_sweep_command_args({"args": values})["args_no_hyphens"]
    return arguments


def test_values_are_written_as_wandb_writes_them() -> None:
    assert words(VALUES) == by_args(VALUES)


@pytest.mark.parametrize("name", names("sweep"))
def test_the_shipped_files_run_the_same_under_wandbs_agent(name: str) -> None:
    content = load_sweep_config(str(CONFIGS / "sweep" / f"{name}.yaml"))
    assert content == yaml.safe_load((CONFIGS / "sweep" / f"{name}.yaml").read_text())
    assert content is not None
    file = read(name)
    some = list(assignments(file)) if file.method == "grid" else [{"model": "gan", "model.learning_rate": 0.001}]
    for assignment in some:
        theirs = by_wandb(content["command"], content["program"], assignment)
        assert theirs == ["/usr/bin/env", "bench", "train", *expand(template(file), assignment)]


def test_an_environment_macro_is_filled_in_as_wandb_does(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["${env}", "bench", "train", "data.root=${envvar:DIGITS}/a-${envvar:NOWHERE}", ARGUMENTS]
    monkeypatch.setenv("DIGITS", "/data")
    monkeypatch.delenv("NOWHERE", raising=False)
    theirs = by_wandb(command, "", {"seed": 1})
    assert [*expand(template(asked(*command)), {"seed": 1})] == theirs[3:] == ["data.root=/data/a-NOWHERE", "seed=1"]


def test_words_stand_where_the_command_has_them_and_overrides_win() -> None:
    file = asked("${interpreter}", "-m", "bench.cli.main", "train", "preset=smoke", "seed=9", ARGUMENTS, "model=vae")
    (one,) = cells_of(file, ["train.images=640"], {"seed": 3}, 1)
    assert one.cell.words[:5] == ("preset=smoke", "seed=9", "seed=3", "model=vae", "train.images=640")
    assert (one.config.seed, one.config.train.images, one.config.preset) == (3, 640, "smoke")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["python", "train.py", ARGUMENTS], "does not run `bench train`"),
        (["bench", ARGUMENTS], "does not run `bench train`"),
        (["train", ARGUMENTS], "does not run `bench train`"),
        (
            ["bench", "train", "${args}"],
            "`bench train` takes key=value arguments only; write ${args_no_hyphens}",
        ),
        (["bench", "train", "preset=smoke"], "write ${args_no_hyphens} exactly once"),
    ],
)
def test_a_command_that_is_no_bench_train_is_one_sentence(command: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        template(asked(*command))
    assert said in str(error.value)


def test_the_program_may_stand_for_bench() -> None:
    assert template(asked("${env}", "${program}", "train", ARGUMENTS, program="/opt/bin/bench")) == [ARGUMENTS]


def test_the_shipped_search_draws_settings_that_bench_takes() -> None:
    file = read("gan")
    for number in range(20):
        one = cell_at(file, [], draw(file, number), number + 1)
        assert 1e-4 <= one.config.model["learning_rate"] <= 1e-2
