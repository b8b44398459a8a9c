"""kill -9 at any moment of a sweep, over and over: the same command ends with the undisturbed sweep's table."""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")]
KILLS = 24
DISTURBED = re.compile(r"(; )?timed while other processes kept [^;]*")
CLOCKS = {"timing", "seconds", "train_seconds", "evaluate_seconds", "code", "config"}  # differ between any two runs
CLOCK_COLUMNS = ("seconds_per_100", "images_per_second", "latency_ms", "peak_memory_mb", "train_minutes")
FAULTS = Path(__file__).parent / "faults"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A folder with sweep.yaml: three cheap models at two seeds."""
    home = tmp_path_factory.mktemp("home")
    fixed = {
        "preset": "smoke", "data": "image_folder", "data.root": str(digits), "data.size": 28,
        "evaluation.extractor": "mnist-cnn", "trainer.accelerator": "cpu", "train.batch": 32, "train.images": 25_600,
        "evaluation.samples": 48, "evaluation.chunk": 16, "evaluation.timed_images": 4,
    }  # fmt: skip
    parameters: dict[str, Any] = {key: {"value": value} for key, value in fixed.items()}
    parameters |= {"model": {"values": ["vae", "gan", "ae"]}, "seed": {"values": [0, 1]}, "model.width": {"value": 4}}
    command = ["${env}", "bench", "train", "${args_no_hyphens}"]
    sweep = {"program": "bench", "method": "grid", "parameters": parameters, "command": command}
    (home / "sweep.yaml").write_text(json.dumps(sweep))  # JSON is YAML
    return home


def start(home: Path, results: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "HOME": str(home), "OMP_NUM_THREADS": "1", "FAULTS": str(home / "plan"),
        "PYTHONPATH": f"{FAULTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }  # fmt: skip
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable, "-m", "bench.cli.main", "sweep", str(home / "sweep.yaml"), "--jobs=2",
                f"results={home / results}",
            ],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def family(home: Path) -> list[int]:
    """Every living process that was started with this home."""
    mark = f"FAULTS={home / 'plan'}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_all(home: Path) -> None:
    while pids := family(home):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def phase(results: Path) -> str:
    """What the sweep was at when it was killed, as its files show it."""
    runs = list((results / "runs").glob("*")) if results.exists() else []
    records = [file.stem for file in (results / "records").glob("*.json")] if results.exists() else []
    if any((run / "checkpoints").exists() and run.name not in records for run in runs):
        return "training"
    return "evaluation" if any(run.name in records for run in runs) else "start"


def finish(home: Path, results: str) -> None:
    job = start(home, results)
    assert job.wait(600) == 0, (home / "log").read_text()[-3000:]


def lasting(content: Any) -> Any:
    """Without what no two runs have in common: clocks, and where the results lie."""
    if isinstance(content, dict):
        return {key: lasting(value) for key, value in content.items() if key not in CLOCKS}
    return content


def outcome(results: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Records by name and the lines of the table, less the clocks."""
    records = {file.name: lasting(json.loads(file.read_text())) for file in sorted((results / "records").iterdir())}
    lines = list(csv.DictReader((results / "TABLE.csv").read_text().splitlines()))
    for line in lines:
        line["flags"] = DISTURBED.sub("", line["flags"])
    return records, [{k: v for k, v in line.items() if not k.startswith(CLOCK_COLUMNS)} for line in lines]


def strike(home: Path, results: Path, dice: random.Random) -> str:
    """Start the sweep, kill all of it, and say what it was at; "" if it came to its end instead."""
    plan = home / "plan"
    word = dice.choice([".ckpt", ".json", ""])
    if word:
        plan.write_text(f"{word} {dice.randint(1, 3)}")
    log = home / "log"
    spoken = log.stat().st_size
    job = start(home, results.name)
    moment = float("inf")
    while job.poll() is None and time.monotonic() < moment and (plan.exists() or not word):
        if not word and moment == float("inf") and b"started" in log.read_bytes()[spoken:]:
            moment = time.monotonic() + dice.uniform(0, 12)
        time.sleep(0.02)
    ended, carried_out = job.returncode == 0, bool(word) and not plan.exists()
    kill_all(home)
    job.wait()
    plan.unlink(missing_ok=True)
    return f"writing {word}" if carried_out else "" if ended else phase(results)


def test_a_sweep_killed_at_any_moment_ends_like_the_undisturbed_one(home: Path) -> None:
    began = time.monotonic()
    finish(home, "calm")
    whole = time.monotonic() - began
    expected = outcome(home / "calm")
    dice = random.Random(0)
    kills: Counter[str] = Counter()
    storms = 0
    while sum(kills.values()) < KILLS:
        storms += 1
        results = home / f"storm-{storms}"
        while (struck := strike(home, results, dice)) and sum(kills.values()) < KILLS:
            kills[struck] += 1
        finish(home, results.name)
        assert outcome(results) == expected
        left = [file for file in results.rglob(".*") if file.is_file()]
        assert not left, "half-written files are cleaned up"
        print(f"storm {storms}: {dict(kills)} so far")
    print(f"{sum(kills.values())} kills in {storms} sweeps: {dict(kills)}; undisturbed {whole:.0f} s")
