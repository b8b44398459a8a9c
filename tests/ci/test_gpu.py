"""The steps of `make gpu` run in their order within their limits, and a second call does what the first left."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_gpu", ROOT / ".ci/gpu.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ci_gpu"] = module
    spec.loader.exec_module(module)
    return module


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def ends(folder: Path) -> dict[str, str]:
    return {name: entry["end"] for name, entry in json.loads((folder / "steps.json").read_text()).items()}


def test_steps_end_by_themselves_by_their_limit_or_are_left_out_and_the_next_call_goes_on(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    slow = python(f"import pathlib, time; p = pathlib.Path({str(mark)!r}); p.exists() or p.touch() or time.sleep(60)")
    todo = [
        gpu.Step("good", python("print(3 + 4)"), (), 1),
        gpu.Step("bad", python("raise SystemExit(3)"), (), 1),
        gpu.Step("slow", slow, (), 4 / 60),
        gpu.Step("absent", python(""), (), 1, lambda _: "no data"),
    ]
    out = tmp_path / "out"
    assert not gpu.run(todo, out, 600, False, tmp_path)
    assert ends(out) == {"good": "finished", "bad": "failed", "slow": "stopped", "absent": "left out"}
    assert "7" in (out / "good.log").read_text()
    assert not gpu.run(todo, out, 600, False, tmp_path)
    assert ends(out)["slow"] == "finished"
    assert (out / "good.log").read_text().count("7") == 1, "a finished step is not run again"


def test_a_call_that_is_over_begins_no_step(gpu: ModuleType, tmp_path: Path) -> None:
    assert not gpu.run([gpu.Step("late", python(""), (), 1)], tmp_path / "out", 0.1, False, tmp_path)
    assert ends(tmp_path / "out") == {"late": "not begun"}


def test_the_steps_stand_in_the_order_of_their_worth(gpu: ModuleType) -> None:
    names = [step.name for step in gpu.steps(Path("r"), Path("c"))]
    assert names == ["tests", "selftest", "inception", "full-mnist", "full-cifar10", "speed", "nccl", "table"]


@pytest.mark.slow
def test_every_step_runs_small_on_this_machine(gpu: ModuleType, tmp_path: Path) -> None:
    words = ["--small", "--results", str(tmp_path / "gpu"), "--cifar10", str(tmp_path)]
    assert gpu.main(words) == 0, (tmp_path / "gpu/steps.json").read_text()
