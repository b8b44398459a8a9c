"""What is recorded already becomes runs in W&B, each once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.results.records import read, read_all, write
from bench.results.selection import select
from bench.table.build import build
from bench.table.render import texts
from bench.table.summary import summary
from bench.tracking.log import HEADINGS, digest
from bench.tracking.session import Identity, Session


@pytest.fixture
def results(example_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs with their baselines, as if made elsewhere."""
    for part in ("records", "pictures"):
        shutil.copytree(
            example_results / part,
            tmp_path / "r" / part,
            ignore=shutil.ignore_patterns("ae-*", "dae-*", "pixel*", "vqvae-*"),
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "r"


def alone(results: Path) -> Path:
    """The file of the one record that is left: the GAN's."""
    (file,) = results.glob("records/gan-*")
    for other in results.glob("records/*"):
        if other != file:
            other.unlink()
    return file


def state(server: Any) -> dict[str, tuple[int, int]]:
    """How often each run was opened, and how many lines of history it has."""
    return {name: (run.opened, len(run.history)) for name, run in server.runs.items()}


def test_each_record_is_a_run_once_and_the_table_comes_from_them(
    server: Any, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_all(results)
    assert main(["wandb", "push", "results=r"]) == 0
    assert f"{len(records)} of {len(records)} runs sent, 0 were up to date" in capsys.readouterr().err
    for record in records:
        run = server.runs[record.run_id]
        assert run.summary["record"] == digest(record)
        assert run.told["jobType"] == ("train" if record.images_seen else "reference")
        assert {key: run.summary[key] for key in summary(record)} == pytest.approx(summary(record))
        points = [(line["images_seen"], line["train/loss"]) for line in run.history if "train/loss" in line]
        expected = zip(record.curves.get("images_seen", []), record.curves.get("loss", []), strict=True)
        assert points == [(x, pytest.approx(y)) for x, y in expected]
        told = {key for line in run.history for key in line if key.startswith("pictures/")}
        assert told == {f"pictures/{file.stem}" for file in results.glob(f"pictures/{record.run_id}/*.png")}

    made = build(select(records, {}), results)
    (table_run,) = (name for name in server.runs if name.startswith("table-quick-mnist-"))
    table = server.runs[table_run]
    assert table.told["jobType"] == "table"
    logged = next(one for one in server.kind("run_table") if one.made_by == {table_run})
    lines = json.loads(logged.files["table.table.json"])
    assert lines["columns"] == HEADINGS
    assert [line[0] for line in lines["data"]] == [row.name for row in made.rows]
    fids = [line[HEADINGS.index("fid")] for line in lines["data"]]
    assert fids == [row.figures["fid"].value if "fid" in row.figures else None for row in made.rows]
    for rule, cells in made.lecture.items():
        for model, cell in cells.items():
            assert table.summary[f"marks/{rule}/{model}"] == cell.label
    (files,) = server.kind("table")
    assert {name: content.decode() for name, content in files.files.items()} == texts(made)
    assert {one.name for one in server.kind("record") if table_run in one.used_by} == {
        f"{record.run_id}-record" for record in records
    }
    for one in server.kind("record"):
        assert one.made_by == {one.name.removesuffix("-record")}
    (data,) = (one for one in server.kind("dataset") if "vae-mnist-0-00000000" in one.used_by)
    assert {"gan-mnist-0-00000000", "ddpm-mnist-0-00000000"} <= data.used_by, "one version for all runs on equal images"

    before = state(server)
    assert main(["wandb", "push", "results=r"]) == 0
    assert f"0 of {len(records)} runs sent, {len(records)} were up to date" in capsys.readouterr().err
    looked_at = before[table_run]
    assert state(server) == before | {table_run: (looked_at[0] + 1, looked_at[1])}


def test_a_record_with_more_in_it_is_told_again_without_its_curves_twice(
    server: Any, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = alone(results)
    record = read(file)
    record.evaluate_seconds = 1.0  # which tells that it was finished
    record.curves = {"images_seen": [3200.0, 6400.0], "loss": [2.0, 1.0]}
    write(record, results)
    assert main(["wandb", "push", "results=r"]) == 0
    (result,) = record.results.values()
    result.metrics["fid"] += 1
    write(record, results)
    assert main(["wandb", "push", "results=r"]) == 0
    run = server.runs[record.run_id]
    points = [(line["images_seen"], line["train/loss"]) for line in run.history if "train/loss" in line]
    assert points == [(3200, 2), (6400, 1)]
    assert run.summary["quality/fid"] == pytest.approx(result.metrics["fid"])
    assert run.opened == 2


def test_without_an_account_all_is_kept_offline_once(
    nobody: None, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wandb", "push", "results=r"]) == 0
    said = capsys.readouterr().err
    assert said.count("no W&B account") == 1
    assert "send them with: wandb sync r/runs/*/wandb/offline-run-*" in said
    kept = sorted(results.glob("runs/*/wandb/offline-run-*"))
    assert len(kept) == len(read_all(results)) + 1
    assert main(["wandb", "push", "results=r"]) == 0
    assert sorted(results.glob("runs/*/wandb/offline-run-*")) == kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["seed=1"], "seed: `bench wandb push` takes results, preset, data and wandb.* only"),
        (["wandb.mode=on"], "wandb.mode=on: input should be 'online', 'offline' or 'disabled'"),
        (["wandb.projekt=x"], "wandb.projekt: unknown key"),
        (["wandb.mode=disabled"], "wandb.mode=disabled: nothing would be sent; choose online or offline"),
        (
            ["wandb.group=x"],
            "wandb.group: recorded with each run; `bench wandb push` takes",
        ),
        (["wandb=x"], "wandb=x: a section, not a value; set its keys as wandb.KEY=VALUE"),
        (["preset=quik"], "preset=quik: unknown"),
        (["results=nowhere"], "nowhere/records: no finished runs of this selection; run `bench train` first"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], said: str, nobody: None, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wandb", "push", "results=r", *words]) == 2
    assert capsys.readouterr().err.startswith(f"bench: {said}")


def test_a_server_that_does_not_answer_ends_in_a_sentence(
    nobody: None, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.tracking.push.SECONDS_TO_ANSWER", 2)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    assert main(["wandb", "push", "results=r"]) == 2
    assert capsys.readouterr().err.startswith("bench: wandb.mode=online: W&B does not answer (")


def test_a_run_that_an_agents_sweep_has_named_is_found_by_its_name(server: Any, results: Path) -> None:
    file = alone(results)
    record = read(file)
    with Session(Identity("x7q2", record.run_id, "generative-trilemma", {}), "online", results) as one:
        one.tell(lambda run: run.log({"images_seen": 1.0}))
    assert main(["wandb", "push", "results=r"]) == 0
    assert [name for name in server.runs if not name.startswith("table-")] == ["x7q2"]
    assert server.runs["x7q2"].summary["record"] == digest(record)


def test_what_did_not_arrive_is_said_with_its_cause_and_not_taken_for_sent(
    server: Any, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = alone(results)
    server.refused = "CreateArtifact"
    assert main(["wandb", "push", "results=r"]) == 1
    server.refused = ""
    said = capsys.readouterr().err
    assert f"{file.stem}: incomplete: " in said
    assert "record" not in server.runs[file.stem].summary
    assert main(["wandb", "push", "results=r"]) == 0
    assert server.runs[file.stem].summary["record"] == digest(read(file))
