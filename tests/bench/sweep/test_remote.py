"""A cell on a machine that does not see the sweep's results folder: run there as here, and all of it brought home."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import records
from bench.cli import main
from bench.config import load, run_id
from bench.schema import ConfigError
from bench.sweep import remote
from bench.sweep.executor import Cell
from bench.sweep.remote import Order

RUN = "vae-mnist-0-0123abcd"
CELL = Cell(RUN, ("model=none",), (RUN,), 1)
POINTS = (  # the cheapest run there is: no images, no extractor
    "model=vae", "data=ring_8", "preset=smoke", "train.images=640", "train.batch=32", "evaluation.samples=64",
    "evaluation.timed_images=4", "trainer.accelerator=cpu",
)  # fmt: skip
Figures = Callable[[Path], dict[tuple[str, str, str], float]]
Weights = Callable[[Path], dict[str, torch.Tensor]]


def points(results: Path, *more: str) -> Cell:
    words = (*POINTS, *more, f"results={results}")
    (config,) = load(words)
    return Cell(run_id(config), words, (run_id(config),), 1)


def order(home: Path, cell: Cell = CELL, token: str = "t", **changes: Any) -> Order:
    return Order(**{"cell": cell, "home": home, "token": token, "folder": home, "threads": 1, "gpu": False, "sent": {}}
                 | changes)  # fmt: skip


def a_record(results: Path, name: str, **changes: Any) -> bytes:
    record = records.reference(name, "vae", {"preset": "smoke", "data": {}}, "")
    records.write(record.model_copy(update=changes), results)
    return records.path(results, name).read_bytes()


def test_a_machine_knows_home_by_its_token_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    here = remote.token(tmp_path / "results")
    assert remote.token(tmp_path / "results") == here != remote.token(tmp_path / "other")
    assert remote.results_here(order(tmp_path / "results", token=here)) == tmp_path / "results"
    elsewhere = tmp_path / "user/.cache/generative-trilemma/sweeps" / here
    assert remote.results_here(order(tmp_path / "other", token=here)) == elsewhere, "another folder of the same name"
    assert remote.results_here(order(tmp_path / "none", token=here)) == elsewhere


def test_a_cell_run_elsewhere_comes_home_as_if_it_had_run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures, weights: Weights
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert main(["train", *points(here).words]) == 0
    torch.set_num_threads(threads)

    cell, said = points(home), []
    elsewhere = order(tmp_path / "not mounted", cell, remote.token(home))
    ended = remote.train(elsewhere, 3, said.append)
    assert ended.code == 0, ended.files
    assert said[0].startswith("on ")
    assert not (home / "records").exists()
    remote.bring_home(ended.files, home, cell)
    assert figures(home) == pytest.approx(figures(here), rel=1e-9), "an eigenvalue's last digits hang on its address"
    for name, value in weights(here).items():
        assert torch.equal(weights(home)[name], value), name
    record = records.find(home, cell.name)
    assert record is not None
    assert record.config["results"] == str(home)
    assert {row.hardware["jobs"] for row in record.results.values()} == {3}
    kept = {str(file.relative_to(here)) for file in here.rglob("*") if file.is_file() and "locks" not in file.parts}
    assert kept <= {str(file.relative_to(home)) for file in home.rglob("*")}

    remote.forget(elsewhere, whole=True)
    there = remote.results_here(elsewhere)
    assert [file for file in there.rglob("*") if cell.name in file.name and file.suffix != ".lock"] == []
    assert len(list((there / "records").iterdir())) == 1, "the floor, which the next run needs"

    before = records.path(home, cell.name).read_bytes()
    again = remote.train(order(elsewhere.home, cell, elsewhere.token, sent=remote.known(home, cell)), 1, said.append)
    remote.bring_home(again.files, home, cell)
    log = remote.log_of(home, cell).read_text()
    assert log.count("recorded: ") == log.count("nothing to do") == 1
    assert records.path(home, cell.name).read_bytes() == before


def test_all_but_checkpoints_is_collected_wherever_the_folder_lies(tmp_path: Path) -> None:
    results = tmp_path / "checkpoints" / "results"
    kept = [f"runs/{RUN}/final.ckpt", f"runs/{RUN}/curves/metrics.csv", f"pictures/{RUN}/samples.png",
            f"failures/{RUN}.json", f"sweeps/logs/{RUN}.log"]  # fmt: skip
    left = [f"runs/{RUN}/checkpoints/a.ckpt", "runs/other/final.ckpt", "pictures/other/samples.png", "failures/o.json"]
    for name in (*kept, *left):
        records.write_text(results / name, name)
    for name, family in ((RUN, "vae"), ("other", "vae"), ("held-out-mnist-0", records.FLOOR)):
        a_record(results, name, family=family)
    found = remote.collect(results, CELL)
    assert {*found} == {*kept, f"records/{RUN}.json", "records/held-out-mnist-0.json"}
    assert found[kept[0]] == kept[0].encode()


def test_a_transfer_that_breaks_off_leaves_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record without its weights could never be evaluated further."""
    files = {f"records/{RUN}.json": a_record(tmp_path / "there", RUN), f"runs/{RUN}/final.ckpt": b"weights"}
    write = records.write_bytes

    def full(target: Path, content: bytes) -> None:
        if target.suffix == ".ckpt":
            raise OSError(28, "No space left on device")
        write(target, content)

    monkeypatch.setattr(records, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        remote.bring_home(files, tmp_path / "home", CELL)
    assert not (tmp_path / "home" / "records").exists()


def test_references_at_home_are_kept_and_the_runs_own_record_is_renewed(tmp_path: Path) -> None:
    home, there = tmp_path / "home", tmp_path / "there"
    first = a_record(home, "held-out-mnist-0", data_digest="at home")
    a_record(home, RUN, images_seen=1)
    files = {
        "records/held-out-mnist-0.json": a_record(there, "held-out-mnist-0", data_digest="from there"),
        "records/held-out-mnist-1.json": a_record(there, "held-out-mnist-1"),
        f"records/{RUN}.json": a_record(there, RUN, images_seen=2),
    }
    remote.bring_home(files, home, CELL)
    assert {name: (home / name).read_bytes() for name in files} == {**files, "records/held-out-mnist-0.json": first}


def test_a_failure_comes_home_and_goes_with_the_record(tmp_path: Path) -> None:
    home = tmp_path / "home"
    failure = records.Failure(
        run_id=RUN, config={"results": "/there"}, code={}, cause="the loss is nan", images_seen=64
    )
    records.write_failure(failure, tmp_path)
    file = f"failures/{RUN}.json"
    remote.bring_home({file: (tmp_path / file).read_bytes()}, home, CELL)
    assert records.failures(home) == [failure.model_copy(update={"config": {"results": str(home)}})]
    remote.bring_home({f"records/{RUN}.json": a_record(tmp_path, RUN)}, home, CELL)
    assert records.failures(home) == []


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for part in (b"on node-1\nepoch\n", b"on node-2\ndone\n"):
        remote.bring_home({f"sweeps/logs/{RUN}.log": part}, tmp_path, CELL)
    assert remote.log_of(tmp_path, CELL).read_text() == "on node-1\nepoch\non node-2\ndone\n"


def test_only_what_is_needed_is_sent(tmp_path: Path) -> None:
    records.write_text(tmp_path / "runs" / RUN / "final.ckpt", "weights")
    assert remote.known(tmp_path, CELL) == {}, "without a record the run is trained anew"
    record = a_record(tmp_path, RUN)
    a_record(tmp_path, "other")
    assert remote.known(tmp_path, CELL) == {f"records/{RUN}.json": record, f"runs/{RUN}/final.ckpt": b"weights"}


def test_a_run_sees_the_gpus_that_ray_gave_it_and_none_that_it_did_not_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert remote.surroundings(order(tmp_path, gpu=True), 2) == {"BENCH_JOBS": "2", "CUDA_VISIBLE_DEVICES": "3,5"}
    assert remote.surroundings(order(tmp_path), 2) == {"BENCH_JOBS": "2", "CUDA_VISIBLE_DEVICES": ""}


def test_a_machine_with_another_bench_is_refused_before_it_trains(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"of schema \d+, the sweep's of 999; install one version"):
        remote.train(order(tmp_path, schema=999), 1, print)
    assert not list(tmp_path.iterdir())


def test_without_ray_the_executor_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "bench.sweep.ray", raising=False)
    with pytest.raises(ConfigError, match="pip install ray"):
        importlib.import_module("bench.sweep.ray")
