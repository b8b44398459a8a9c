"""A sweep in W&B: its runs in one group, and its table made from their records."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.cli.main import main

SWEEP = {
    "name": "seeds: a ring",
    "method": "grid",
    "parameters": {"seed": {"values": [0, 1]}},
    "command": ["${env}", "bench", "train", "model=vae", "data=ring_8", "preset=smoke", "trainer.accelerator=cpu",
                "train.images=320", "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4",
                "wandb.mode=offline", "${args_no_hyphens}"],
}  # fmt: skip


@pytest.mark.slow
def test_a_sweep_is_a_group_of_runs_and_a_table_made_from_their_records(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.yaml").write_text(yaml.safe_dump(SWEEP))
    assert main(["sweep", "seeds.yaml", "results=r", "--jobs", "1"]) == 0
    assert "W&B: kept offline; send it with: wandb sync r/runs/table-smoke-ring_8-" in capsys.readouterr().err
    files = sorted(map(str, Path("r").glob("runs/*/wandb/offline-run-*")))
    assert len(files) == 3
    program = Path(sys.executable).with_name("wandb")
    subprocess.run([program, "sync", *files], check=True, capture_output=True, timeout=60)
    seeds = {run.config["seed"]["value"]: run for run in server.runs.values() if run.told["jobType"] == "train"}
    assert sorted(seeds) == [0, 1]
    assert {run.told["groupName"] for run in seeds.values()} == {"seeds: a ring"}
    (name,) = (name for name in server.runs if name.startswith("table-smoke-ring_8-"))
    assert server.runs[name].told["jobType"] == "table"
    lines = json.loads(next(one for one in server.kind("run_table") if one.made_by == {name}).files[
        "table.table.json"])  # fmt: skip
    rows = {line[0]: line[lines["columns"].index("seeds")] for line in lines["data"]}
    assert rows == {"held-out images": 1, "vae": 2}
    used = [one for one in server.kind("record") if name in one.used_by]
    assert {one.made_by.copy().pop() for one in used if one.made_by} == {run.told["name"] for run in seeds.values()}
