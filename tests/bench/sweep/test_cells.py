"""Cells are checked before any is started, are as many as they differ, and are skipped when all of them is recorded."""

from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results import records
from bench.results.identity import run_id
from bench.sweep.cells import PlannedCell, all_cells, common_folder, missing_steps, probes
from bench.sweep.executor import Cell
from bench.sweep.result import timing_difference
from bench.sweep.search_space import SweepFile

ARGUMENTS = "${args_no_hyphens}"
BUDGET = ["preset=smoke", "train.images=640", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4"]


def asked(parameters: dict[str, list[Any]], *fixed: str, **keys: Any) -> SweepFile:
    given: dict[str, Any] = {key: {"values": values} for key, values in parameters.items()}
    command: list[str | int | float] = ["bench", "train", *fixed, ARGUMENTS]
    return SweepFile(**{"method": "grid", "command": command, "parameters": given, **keys})


def search(key: str, low: float, high: float, *fixed: str) -> SweepFile:
    found = {key: {"distribution": "q_uniform", "min": low, "max": high}}
    bayes = {"method": "bayes", "run_cap": 5, "metric": {"name": "quality/fid"}, "parameters": found}
    return SweepFile(**asked({}, *fixed).model_dump() | bayes)


def test_a_bad_value_in_any_cell_is_one_sentence_that_names_the_cell() -> None:
    with pytest.raises(ConfigError) as error:
        all_cells(asked({"model": ["vae", "gan"], "train.batch": [32, 0]}), [])
    assert str(error.value).startswith("cell 2 (model=vae train.batch=0): train.batch=0: ")
    assert (error.value.key, error.value.value) == ("train.batch", 0)


def test_a_cell_knows_its_run_and_where_its_results_go() -> None:
    (one,) = all_cells(asked({"seed": [3]}, "model=vae"), ["trainer.devices=2"])
    (config,) = load(["model=vae", "seed=3", "trainer.devices=2"])
    words = ("model=vae", "seed=3", "trainer.devices=2", "results=results")
    assert one == PlannedCell(Cell(run_id(config), words, run_id(config), 2), config)
    (other,) = all_cells(asked({"seed": [3]}, "model=vae"), ["results=elsewhere"])
    assert other.cell.words == ("model=vae", "seed=3", "results=elsewhere")


def test_what_trains_several_models_is_a_cell_for_each_that_comes_to_the_same_run() -> None:
    made = all_cells(asked({"seed": [1]}, "preset=smoke"), [])
    assert [one.config for one in made] == load(["preset=smoke", "seed=1"])
    assert [load(one.cell.words) for one in made] == [[one.config] for one in made]


def test_cells_that_come_to_the_same_configuration_are_one() -> None:
    made = all_cells(asked({"model.width": [32, 16], "seed": [0]}, "model=vae"), [])
    again = all_cells(asked({"model.width": [32, 16, 32], "seed": [0]}, "model=vae"), ["results=results"])
    assert [one.cell.name for one in again] == [one.cell.name for one in made]
    assert len(all_cells(asked({"seed": [0, 1, 2]}, "model=vae"), ["seed=7"])) == 1, "overrides win over the file"


def test_cells_that_only_evaluate_one_run_otherwise_have_names_of_their_own() -> None:
    made = all_cells(asked({"evaluation.seed": [0, 1, 1]}, "model=vae"), [])
    name = run_id(made[0].config)
    assert [one.cell.name for one in made] == [name, f"{name}.2"]
    assert {one.cell.run_id for one in made} == {name}


def test_cells_of_one_sweep_write_to_common_folder() -> None:
    made = all_cells(asked({"preset": ["smoke", "quick"]}, "model=vae"), [])
    with pytest.raises(ConfigError, match="results and results/smoke; choose one folder for all with results=DIR"):
        common_folder(made)
    assert common_folder(all_cells(asked({"preset": ["smoke", "quick"]}, "model=vae"), ["results=r"])) == Path("r")


def test_a_run_over_several_machines_is_no_cell() -> None:
    with pytest.raises(ConfigError, match="trainer.num_nodes=2: a sweep runs each cell on one machine"):
        all_cells(asked({"seed": [0]}, "model=vae"), ["trainer.num_nodes=2"])


def test_a_search_is_checked_in_the_middle_and_near_the_ends_of_its_ranges() -> None:
    made = probes(search("model.latent_dim", 2.0, 102.0, "model=vae"), [])
    assert [one.config.model["latent_dim"] for one in made] == [52, 3, 101]
    with pytest.raises(ConfigError, match="model.latent_dim=-8"):
        probes(search("model.latent_dim", -9.0, 102.0, "model=vae"), [])
    with pytest.raises(ConfigError, match="searches the settings of one model, but this file trains 8; add model=NAME"):
        probes(search("seed", 2.0, 102.0, "data=ring_8", "preset=smoke"), [])


def test_a_run_is_complete_when_all_of_it_is_recorded_under_these_settings(
    small_mnist: Path, tiny: dict[str, list[str]]
) -> None:
    fixed = ["model=vae", *BUDGET, *tiny["vae"], "trainer.accelerator=cpu"]
    (one,) = all_cells(asked({"seed": [0]}, *fixed), ["results=r"])
    assert missing_steps(one)
    assert main(["train", *one.cell.words]) == 0
    assert not missing_steps(one)
    whole = records.find(Path("r"), one.cell.name)
    assert whole
    ((row, result),) = whole.results.items()
    machine = result.hardware
    threads, jobs = int(machine["threads"]), int(machine["jobs"])
    assert timing_difference([one], threads, jobs) == timing_difference([], 99, 99) == ""
    sentence = timing_difference([one], threads, jobs + 1)
    assert f"recorded runs were timed with {threads} CPU threads, {jobs} at once" in sentence
    assert f"new runs will be timed with {threads} CPU threads, {jobs + 1} at once" in sentence
    assert f"time them alike with --jobs={jobs}" in sentence
    for other in ("evaluation.samples=32", "evaluation.seed=1", "evaluation.chunk=50", "seed=1", "model.latent_dim=3"):
        (changed,) = all_cells(asked({"seed": [0]}, *fixed), ["results=r", other])
        assert missing_steps(changed), other

    stated = result.protocol
    others = {"samples": 32, "seed": 1, "chunk": 50, "extractor": "inception-v3", "sampler": "ddim-10"}
    parts = {
        f"a row of another {key}": whole.model_copy(
            update={"results": {row: result.model_copy(update={"protocol": stated | {key: value}})}}
        )
        for key, value in others.items()
    } | {
        "stopped before the last of it was measured": whole.model_copy(update={"evaluate_seconds": 0.0}),
        "no row": whole.model_copy(update={"results": {}}),
        "a row without figures": whole.model_copy(
            update={"results": {row: result.model_copy(update={"metrics": {}, "versions": {}})}}
        ),
        "a metric that was added since": whole.model_copy(
            update={"results": {row: result.model_copy(update={"versions": dict(list(result.versions.items())[1:])})}}
        ),
        "a row without timing": whole.model_copy(update={"results": {row: result.model_copy(update={"timing": {}})}}),
    }
    for what, part in parts.items():
        records.write(part, Path("r"))
        assert missing_steps(one), what
    records.write(whole, Path("r"))

    (again,) = all_cells(asked({"seed": [0]}, *fixed), ["results=r", "evaluation.seed=1"])
    assert main(["train", *again.cell.words]) == 0
    assert not missing_steps(again)
    assert not missing_steps(one)
    both = records.find(Path("r"), one.cell.name)
    assert both
    last = [key for key, ability in both.abilities.items() if ability.protocol["seed"] == 1][-1]
    rest = {key: ability for key, ability in both.abilities.items() if key != last}
    records.write(both.model_copy(update={"abilities": rest}), Path("r"))
    assert missing_steps(again), "a second evaluation stopped before its last ability"
    assert not missing_steps(one)
