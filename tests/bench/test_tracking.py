"""What W&B is told, read back from its own offline files."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.proto import wandb_internal_pb2 as messages

from bench import tracking
from bench.cli import main
from bench.config import load
from bench.records import read
from bench.summary import summary

BLOCK = 32768  # bytes; an offline run is a log in LevelDB's format behind a header of 7 bytes
HEADER = struct.Struct("<IHB")  # checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last part


def parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 7
    while at + HEADER.size <= len(content):
        if BLOCK - at % BLOCK < HEADER.size:  # what is left of a block holds no header
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(content, at)
        at += HEADER.size
        yield kind, content[at : at + length]
        at += length


def told(folder: Path) -> list[messages.Record]:
    """Every message in the offline runs below a folder, in the order in which they were written."""
    found = []
    for file in sorted(folder.rglob("run-*.wandb"), key=lambda file: file.stat().st_mtime):
        data = b""
        for kind, part in parts(file.read_bytes()):
            data += part
            if kind in (1, 4):
                found.append(messages.Record.FromString(data))
                data = b""
    return found


def key(item: messages.SummaryItem | messages.HistoryItem) -> str:
    return item.key or "/".join(item.nested_key)


def test_an_offline_run_has_the_records_id_figures_and_pictures(
    small_mnist: Path, tiny: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    words = ["train", "model=vae", "preset=smoke", "results=r", "wandb.mode=offline", "trainer.accelerator=cpu",
             "train.images=3200", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4"]  # fmt: skip
    assert main([*words, *tiny["vae"]]) == 0
    wandb.teardown()  # writes what it still holds
    (file,) = (small_mnist / "r" / "records").glob("vae-*.json")
    record = read(file)
    seen = told(small_mnist / "r" / "runs")
    assert {message.run.run_id for message in seen if message.HasField("run")} == {record.run_id}
    values: dict[str, Any] = {}
    for message in seen:
        for item in message.summary.update:
            values[key(item)] = json.loads(item.value_json)
    expected = summary(record)
    assert expected["quality/fid"] == next(iter(record.results.values())).metrics["fid"]
    assert {key: values[key] for key in expected} == expected
    points = [{key(item): json.loads(item.value_json) for item in message.history.item} for message in seen
              if message.HasField("history")]  # fmt: skip
    curve = [point["train/loss"] for point in points if "train/loss" in point]
    assert curve == pytest.approx(record.curves["loss"])
    assert sum(any("samples" in name for name in point) for point in points) == 1


def test_an_agents_run_keeps_the_id_of_its_sweep_and_is_online(monkeypatch: pytest.MonkeyPatch) -> None:
    (config,) = load(["model=vae", "preset=smoke"])
    assert tracking.mode(config) == "disabled"
    assert tracking.identity(config)["id"] == tracking.run_id(config)
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    assert tracking.identity(config)["id"] == tracking.run_id(config)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert (tracking.mode(config), tracking.identity(config)["id"]) == ("online", "abc123")
    (offline,) = load(["model=vae", "preset=smoke", "wandb.mode=offline"])
    assert tracking.mode(offline) == "offline"
