"""Commands that only read records import no torch, so that they answer in about a second."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "lightning", "torchvision", "scipy.signal", "scipy.stats", "sklearn", "wandb", "matplotlib.pyplot")
CODE = f"""
import sys
from bench.cli.main import main
status = main(sys.argv[1:])
print("imported:", *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""
RUNS = sorted(file.stem for file in (ROOT / "results" / "published" / "records").glob("vae-*.json"))
FOLDER = "results=results/published"


@pytest.mark.parametrize(
    "words",
    [
        ["table", FOLDER, "--check"],
        ["report", FOLDER, "--check"],
        ["show", RUNS[0], FOLDER],
        ["compare", RUNS[0], RUNS[-1], FOLDER],
        ["list", "presets"],
        ["list", "samplers"],
        ["list", "metrics"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_command_that_only_reads_imports_nothing_heavy(words: list[str]) -> None:
    run = subprocess.run([sys.executable, "-c", CODE, *words], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    if words != ["--help"]:  # which ends by itself
        assert run.stderr.splitlines()[-1].split() == ["imported:"]
