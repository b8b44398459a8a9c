"""What W&B holds of a run after its training: told live, or read from its offline files by wandb's own `wandb sync`."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb

from bench.cli.main import main
from bench.config.load import load
from bench.plots.model_pictures import PICTURES
from bench.results.records import Record, read
from bench.runs.build import build_data, build_model, data_spec
from bench.table.columns import COLUMNS
from bench.table.summary import intervals, summary
from bench.tracking import identity as tracking
from bench.tracking.callback import MOMENTS, WandbCallback
from bench.tracking.log import HEADINGS, digest
from bench.tracking.session import Identity, Session
from bench.training.fit import train

VAE = ["train", "model=vae", "preset=smoke", "results=r", "trainer.accelerator=cpu", "train.images=3200",
       "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4"]  # fmt: skip


def sync(folder: Path) -> None:
    """What the line says that a run kept offline ends with."""
    files = sorted(folder.glob("runs/*/wandb/offline-run-*"))
    program = Path(sys.executable).with_name("wandb")
    done = subprocess.run([program, "sync", *map(str, files)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def recorded(folder: Path, model: str) -> Record:
    (file,) = (folder / "records").glob(f"{model}-*.json")
    return read(file)


def curve(history: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(line["images_seen"], line[name]) for line in history if name in line]


def check(server: Any, record: Record, results: Path) -> None:
    """Every key, picture, table and artifact of the run, against its record and the files beside it."""
    run = server.runs[record.run_id]
    drawn = {file.stem: file.read_bytes() for file in (results / "pictures" / record.run_id).glob("*.png")}
    check_settings(run, record)
    check_curves(run, record, results)
    check_pictures(run, record, drawn)
    check_table(server, record, drawn)
    check_summary(run, record)
    check_artifacts(server, record, results)


def check_settings(run: Any, record: Record) -> None:
    config = record.config
    assert run.told["displayName"] == record.run_id
    assert run.told["project"] == "generative-trilemma"
    assert run.told["jobType"] == "train"
    assert set(run.told["tags"]) == {record.family, "mnist", "smoke"}
    assert (run.config["family"]["value"], run.config["dataset"]["value"]) == (record.family, "mnist")
    assert config["samplers"] == config["plugins"] == {}, "which W&B leaves out"
    kept = {key: run.config[key]["value"] for key in config if config[key] != {}}
    assert kept | {"samplers": {}, "plugins": {}} == config
    definitions = run.config["_wandb"]["value"]["m"]  # 1: name, 2: pattern, 5: its x axis, by number from 1
    (everything,) = (one for one in definitions if one.get("2") == "*")
    assert definitions[everything["5"] - 1]["1"] == "images_seen"


def check_curves(run: Any, record: Record, results: Path) -> None:
    names = [name for name in record.curves if name != "images_seen"]
    assert "loss" in names
    for name in names:
        points = zip(record.curves["images_seen"], record.curves[name], strict=True)
        assert curve(run.history, f"train/{name}") == [(x, pytest.approx(y)) for x, y in points]
    moments = [(line["images_seen"], line["samples"]) for line in run.history if "samples" in line]
    whole_batches = [math.ceil(record.images_seen * k / MOMENTS / 32) * 32 for k in range(1, MOMENTS + 1)]
    assert [seen for seen, _ in moments] == whole_batches
    kept = [file.read_bytes() for file in sorted((results / "runs" / record.run_id).glob("samples-over-training/*"))]
    assert [run.files[image["path"]] for _, image in moments] == kept
    assert len(set(kept)) > 1, "the samples change as the model learns"


def check_pictures(run: Any, record: Record, drawn: dict[str, bytes]) -> None:
    last = run.history[-1]
    assert last["images_seen"] == record.images_seen
    told = {key.removeprefix("pictures/"): value for key, value in last.items() if key.startswith("pictures/")}
    assert {name: run.files[value["path"]] for name, value in told.items()} == drawn
    captions = {picture.name: picture.caption for picture in PICTURES}
    assert {name: value.get("caption") for name, value in told.items()} == {name: captions.get(name) for name in drawn}


def check_table(server: Any, record: Record, drawn: dict[str, bytes]) -> None:
    (logged,) = server.kind("run_table")
    table = json.loads(logged.files["comparison.table.json"])
    assert table["columns"] == ["run", *HEADINGS, "samples"]
    assert len(table["data"]) == len(record.results)
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    (result,) = record.results.values()
    assert (row["run"], row["row"], row["family"]) == (record.run_id, "vae", record.family)
    for name, value in result.metrics.items():
        assert row[name] == pytest.approx(value * (1000 if name in ("kid", "fd_random") else 1))
    assert all(row[column.key] is None for column in COLUMNS if column.key == "high_quality")
    assert logged.files[row["samples"]["path"]] == drawn["samples"]


def check_summary(run: Any, record: Record) -> None:
    (result,) = record.results.values()
    expected = summary(record) | intervals(record)
    assert expected["quality/fid"] == result.metrics["fid"]
    assert (expected["quality/fid_low"], expected["quality/fid_high"]) == result.intervals["fid"]
    assert {key: run.summary[key] for key in expected} == pytest.approx(expected)
    assert run.summary["record"] == digest(record)
    assert run.exit_code == 0


def check_artifacts(server: Any, record: Record, results: Path) -> None:
    kept_as = {one.kind: one for one in server.artifacts.values()}
    assert kept_as["dataset"].used_by == {record.run_id}
    assert kept_as["dataset"].made_by == set()
    assert json.loads(kept_as["dataset"].files["dataset.json"])["sha256"] == record.data_digest
    assert kept_as["record"].files.popitem()[1] == (results / "records" / f"{record.run_id}.json").read_bytes()
    assert kept_as["model"].files.popitem()[1] == (results / "runs" / record.run_id / "final.ckpt").read_bytes()
    assert {kind: kept_as[kind].made_by for kind in ("record", "model")} == {
        "record": {record.run_id}, "model": {record.run_id},
    }  # fmt: skip


def test_a_run_online_holds_all_of_its_record(
    server: Any, small_mnist: Path, tiny: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*VAE, "wandb.mode=online", *tiny["vae"]]) == 0
    record = recorded(small_mnist / "r", "vae")
    check(server, record, small_mnist / "r")
    assert f"W&B: {record.run_id}: {server.url}/me/generative-trilemma/runs/{record.run_id}" in capsys.readouterr().err
    assert main([*VAE, "wandb.mode=online", *tiny["vae"]]) == 0, "nothing to do"
    assert server.runs[record.run_id].opened == 1


def test_a_run_kept_offline_holds_the_same_and_says_how_to_send_it(
    server: Any, small_mnist: Path, tiny: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*VAE, "wandb.mode=offline", *tiny["vae"]]) == 0
    (place,) = (small_mnist / "r" / "runs").glob("*/wandb/offline-run-*")
    assert f"kept offline; send it with: wandb sync {place.relative_to(small_mnist)}\n" in capsys.readouterr().err
    assert not server.runs
    sync(small_mnist / "r")
    check(server, recorded(small_mnist / "r", "vae"), small_mnist / "r")


def test_without_an_account_online_is_offline_and_says_so(
    nobody: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wandb.teardown()
    with Session(Identity("r1", "r1", "p", {}), "online", tmp_path) as one:
        one.tell(lambda run: run.log({"images_seen": 1.0, "train/loss": 2.0}))
    assert (one.mode, one.whole) == ("offline", True)
    said = capsys.readouterr().err
    assert said.count("no account (`wandb login` sets one); kept offline") == 1
    (place,) = tmp_path.glob("wandb/offline-run-*-r1")
    assert f"kept offline; send it with: wandb sync {place}\n" in said


@pytest.mark.parametrize("model", ["gan", *(pytest.param(model, marks=pytest.mark.slow) for model in ("vae", "ddpm"))])
def test_being_logged_changes_nothing_of_a_training_and_shows_what_it_would_sample(
    model: str, nobody: None, small_mnist: Path, tiny: dict[str, list[str]]
) -> None:
    ends = []
    for mode in ("disabled", "offline"):
        words = [word for word in VAE[1:] if word not in ("model=vae", "train.images=3200")] + ["train.images=1600"]
        (config,) = load([*words, f"model={model}", f"wandb.mode={mode}", *tiny[model]])
        data, folder = build_data(config), small_mnist / mode
        with tracking.open_session(config, folder) as session:
            callbacks = [WandbCallback(session, config, folder)] if session.on else []
            record = train(config, build_model(config, data_spec(data)), data, folder, callbacks)
        ends.append((record, torch.load(folder / "final.ckpt", weights_only=True)["state_dict"]))
        assert len(list((folder / "samples-over-training").glob("*"))) == (MOMENTS if mode == "offline" else 0)
    (silent, weights), (told_of, same) = ends
    assert told_of.run_id == silent.run_id
    assert told_of.curves == silent.curves
    assert weights.keys() == same.keys()
    assert all(torch.equal(weights[key], same[key]) for key in weights)
    trained = build_model(config, data_spec(data))
    trained.load_state_dict(weights)  # the averaged ones where the model has them, as the last moment's grid
    WandbCallback(session, config, folder).draw(trained, data, small_mnist / "again.png")
    assert (folder / "samples-over-training" / "000001600.png").read_bytes() == (small_mnist / "again.png").read_bytes()
