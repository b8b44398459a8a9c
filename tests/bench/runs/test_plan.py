"""A plan names what a record lacks and why, from the configuration alone or with the protocols; empty means done."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import Config, ConfigError
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.intervals import Estimate
from bench.evaluation.metrics.registry import METRICS, expected
from bench.evaluation.tasks.registry import ABILITIES
from bench.results.records import Ability, Record, Result
from bench.runs import plan as planning
from bench.runs.baselines import BASELINES
from bench.runs.plan import missing_metrics, plan, same_setting, sentence, without_timings
from bench.table.tasks import entries

WORDS = ["model=ddpm", "data=mnist", "preset=smoke", "evaluation.samples=64"]
VERSIONS = {name: METRICS[name].version for name in expected(given=False)}
LATER = int(VERSIONS["fid"]) + 1


def configured(*words: str) -> Config:
    return load([*WORDS, "samplers=[ddim-10]", *words])[0]


def result(sampler: str, config: Config, **changes: Any) -> Result:
    """A whole result under the configuration's settings."""
    settings = config.evaluation
    protocol = {
        "sampler": sampler, "sampler_settings": config.samplers[sampler], "samples": settings.samples,
        "seed": settings.seed, "chunk": settings.chunk, "extractor": settings.extractor,
    }  # fmt: skip
    whole: dict[str, Any] = {
        "protocol": protocol,
        "metrics": {"fid": 1.0},
        "versions": VERSIONS,
        "timing": {"nfe": 10},
        "hardware": {},
    }
    return Result(**whole | changes)


def recorded(config: Config, *results: Result, **changes: Any) -> Record:
    """A finished record that lacks no ability."""
    settings = config.evaluation
    stated = {"images": settings.samples, "seed": settings.seed, "chunk": settings.chunk}
    abilities = {name: Ability(protocol=stated | {"ability": name}, figures={}) for name in ABILITIES}
    whole: dict[str, Any] = {
        "run_id": "r", "family": "diffusion", "config": config.model_dump(), "code": {}, "libraries": {},
        "data_digest": "0", "evaluate_seconds": 1.0, "abilities": abilities,
        "results": {str(number): one for number, one in enumerate(results)},
    }  # fmt: skip
    return Record(**whole | changes)


def why(config: Config, record: Record | None) -> str:
    return sentence(plan(config, record))


def test_a_whole_record_has_an_empty_plan_and_no_record_is_a_training() -> None:
    config = configured()
    assert plan(config, recorded(config, result("ddim-10", config))) == []
    assert [step.what for step in plan(config, None)] == ["training"]


def test_a_metric_that_was_added_or_changed_is_the_only_one_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured()
    record = recorded(config, result("ddim-10", config))
    monkeypatch.setitem(METRICS, "fid", dataclasses.replace(METRICS["fid"], version=LATER))
    monkeypatch.setitem(METRICS, "toy", dataclasses.replace(METRICS["fid"], name="toy"))
    (step,) = plan(config, record)
    assert (step.what, step.name, set(step.metrics)) == ("metrics", "ddim-10", {"fid", "toy"})
    old = VERSIONS["fid"]
    assert step.reason == f"ddim-10: metric fid is version {old}, now {LATER}; metric toy was not computed"


def test_a_metric_of_the_users_own_is_computed_again_where_its_source_files_have_changed() -> None:
    own, known = {"mine": "mine-2"}, VERSIONS | {"other": "other-1"}
    assert missing_metrics(Result(protocol={}, versions=known, hardware={}), VERSIONS) == {}, "not installed here"
    names = [*VERSIONS, "mine"]
    for version, reason in (
        ("mine-1", "the source files of metric mine have changed"), (None, "metric mine was not computed"),
        ("mine-2", None),
    ):  # fmt: skip
        measured = known if version is None else known | {"mine": version}
        found = missing_metrics(Result(protocol={}, versions=measured, hardware={}), names, own)
        assert found == ({} if reason is None else {"mine": reason})


def test_a_metric_without_a_figure_is_known_to_have_been_computed() -> None:
    assert missing_metrics(Result(protocol={}, versions=VERSIONS, hardware={}), VERSIONS) == {}
    unknown = missing_metrics(Result(protocol={}, metrics={"fid": 1.0}, hardware={}), METRICS)
    assert set(unknown) == set(METRICS)
    assert set(unknown.values()) == {"its metrics are of versions that were not recorded"}
    assert set(missing_metrics(None, METRICS)) == set(METRICS)


def test_each_thing_that_a_row_lacks_has_its_reason() -> None:
    config = configured()
    assert why(configured("samplers=[ancestral-20]"), recorded(config, result("ddim-10", config))) == (
        "sampler ancestral-20 is new"
    )
    assert why(configured("evaluation.samples=32"), recorded(config, result("ddim-10", config), abilities={})) == (
        "sampler ddim-10 was measured under other settings only; ability bits_per_dim was not measured"
    )
    assert why(config, recorded(config)) == "sampler ddim-10 is not measured yet"
    timed = result("ddim-10", config, metrics={}, versions={})
    assert why(config, recorded(config, timed)) == "ddim-10: it was only timed"
    assert why(configured("evaluation.timed_only=[ddim-10]"), recorded(config, timed)) == ""
    assert why(config, recorded(config, result("ddim-10", config, timing={}))) == "ddim-10: it was not timed"
    unfinished = recorded(config, result("ddim-10", config), evaluate_seconds=0.0)
    assert why(config, unfinished) == "its evaluation did not come to an end"


def test_steps_without_timings_are_those_that_need_no_machine_to_themselves() -> None:
    config = configured("samplers=[ddim-10,ancestral-20]", "evaluation.timed_only=[ancestral-20]", "headline=ddim-10")

    def left(record: Record | None) -> list[tuple[str, str]]:
        return [(step.what, step.name) for step in without_timings(plan(config, record))]

    assert left(None) == [("training", "")]
    assert left(recorded(config)) == [("metrics", "ddim-10")]
    assert left(recorded(config, result("ddim-10", config, timing={}))) == []
    assert left(recorded(config, result("ddim-10", config, metrics={}, versions={}))) == [("metrics", "ddim-10")]


def test_abilities_of_a_held_out_split_with_fewer_images_than_samples_are_complete() -> None:
    config, fewer = configured(), configured("evaluation.samples=32")
    small = recorded(fewer, result("ddim-10", config))  # abilities of 32 images, and a row of 64 samples
    assert plan(config, small) == []
    both = recorded(fewer, result("ddim-10", config), result("ddim-10", fewer))
    assert why(config, both) == "ability bits_per_dim was not measured"


def test_protocols_decide_where_they_are_known() -> None:
    config = configured()
    record = recorded(config, result("ddim-10", config))
    goal = planning.Targets({"ddim-10": "0"}, {})
    assert plan(config, record, goal) == []
    steps = plan(config, record, dataclasses.replace(goal, rows={"ddim-10": "another"}))
    reason = "sampler ddim-10 was measured under other settings only"
    assert [(step.what, step.reason) for step in steps] == [("timing", reason), ("metrics", reason)]
    (step,) = plan(config, record, dataclasses.replace(goal, abilities={"denoise": "another"}))
    assert (step.what, step.name) == ("ability", "denoise")


def test_an_ability_that_is_not_registered_is_named_where_a_record_holds_it() -> None:
    with pytest.raises(ConfigError) as error:
        list(entries("ddpm", {}, Ability(protocol={"ability": "denoises"}, figures={})))
    assert (error.value.key, error.value.value) == ("ability", "denoises")
    assert "denoise" in error.value.choices


def files(kind: str) -> dict[str, Any]:
    """The record whose name begins with a kind, and those of real images."""
    (file,) = Path("r/records").glob(f"{kind}-*.json")
    return json.loads(file.read_text())


def test_a_metric_added_later_reaches_a_recorded_run_and_its_baseline(
    finished: Callable[..., Path],
    tiny_run: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = tiny_run("gan")
    finished("gan")
    before, floor = files("gan"), files("held-out")
    ((key, row),) = before["results"].items()
    assert row["versions"] == VERSIONS
    assert row["code"]["commit"]
    computed: list[str] = []

    def toy(sets: FeatureSets) -> Estimate:
        computed.append("toy")
        return Estimate(float(sets.generated.sum()), None)

    def refused(sets: FeatureSets) -> Estimate:
        raise AssertionError("computed again")

    for name, metric in METRICS.items():
        monkeypatch.setitem(METRICS, name, dataclasses.replace(metric, function=refused))
    monkeypatch.setitem(METRICS, "toy", dataclasses.replace(METRICS["vendi"], name="toy", function=toy, version=1))
    monkeypatch.setitem(METRICS, "vendi", dataclasses.replace(METRICS["vendi"], function=lambda sets: None, version=9))
    capsys.readouterr()
    assert main(["show", before["run_id"], "results=r"]) == 0
    reason = f"metric vendi is version {VERSIONS['vendi']}, now 9; metric toy was not computed"
    assert reason in " ".join(capsys.readouterr().out.split())
    assert main(train) == 0
    assert f"missing: {reason}" in " ".join(capsys.readouterr().err.split())
    after = files("gan")["results"][key]
    assert after["versions"] == VERSIONS | {"vendi": 9, "toy": 1}
    assert "vendi" not in after["metrics"], "a figure of an older version does not stay"
    assert after["metrics"].pop("toy")
    assert after["metrics"].items() == {name: x for name, x in row["metrics"].items() if name != "vendi"}.items()
    assert (after["timing"], after["fid_by_count"]) == (row["timing"], row["fid_by_count"])
    assert "toy" in next(iter(files("held-out")["results"].values()))["metrics"]
    assert floor["results"].keys() == files("held-out")["results"].keys()
    assert len(computed) == 1 + len(BASELINES)
    assert main(train) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert len(computed) == 1 + len(BASELINES)


def test_settings_that_the_images_decide_are_not_compared_before_they_are_loaded() -> None:
    words = ["model=vae", "data=image_folder", "data.root=/x"]
    recorded = {"samples": 33, "seed": 0, "chunk": 250, "extractor": "random-network"}
    assert same_setting(recorded, load(words)[0])
    assert not same_setting(recorded | {"seed": 1}, load(words)[0])
    assert not same_setting(recorded, load([*words, "evaluation.samples=34"])[0])
    assert not same_setting(recorded, load([*words, "evaluation.extractor=inception-v3"])[0])
