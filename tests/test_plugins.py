"""docs/plugins.md does what it says: in the project's own folder, from a source tree and from an installed wheel."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.results import records
from tests.bench.training.interrupted import at_images, stop
from tests.projects import DATA, DOCUMENT, EXTRACTOR, FILES, METRIC, MODEL, SMALL, write_project

ROOT = Path(__file__).resolve().parent.parent
TRAIN = ["train", f"model={MODEL}", f"data={DATA}", *SMALL, "results=out", "evaluation.timed_images=4"]


def run(folder: Path, *command: str, status: int = 0, **variables: str) -> str:
    """What a command says that a user gives in a folder."""
    environment = {**os.environ, "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def recorded(folder: Path) -> records.Record:
    (file,) = (folder / "out" / "records").glob("probabilistic_pca-stripes-*.json")
    return records.read(file)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document's project, which is the working folder."""
    monkeypatch.chdir(write_project(tmp_path))
    monkeypatch.setattr("bench.runs.context.CACHE", tmp_path / "cache")
    return tmp_path


def test_the_example_trains_in_a_project_with_models_and_configs_of_its_own(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    bench = [sys.executable, "-m", "bench"]
    said = run(folder, *bench, *TRAIN, PYTHONPATH=str(ROOT))
    assert f"model: {folder}/models/factors.py:ProbabilisticPCA" in said
    record = recorded(folder)
    assert (record.family, record.images_seen) == ("autoregressive-vae", 640)
    assert {result.protocol["sampler"] for result in record.results.values()} == {"full", "cool"}
    digests = run(folder, "sha256sum", "models/densities.py", "models/factors.py", "data/stripes.py").split()
    assert record.code["plugins"] == {
        "model": {"densities.py": digests[0], "factors.py": digests[2]}, "data": {"stripes.py": digests[4]},
    }  # fmt: skip
    for name in FILES:  # the reading side needs no class
        (folder / name).unlink()
    assert "probabilistic_pca" in run(folder, *bench, "table", "results=out", "data=stripes", PYTHONPATH=str(ROOT))


def test_a_stopped_training_resumes_and_a_changed_file_is_another_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, 320, stop(signal.SIGINT))
        assert main(TRAIN) == 130
    capsys.readouterr()
    densities = Path("models/densities.py")
    text = densities.read_text()
    densities.write_text(text + "# another word\n")
    assert main(TRAIN) == 0
    assert "resumes from" not in capsys.readouterr().err
    densities.write_text(text)
    assert main(TRAIN) == 0
    assert "resumes from 320 of 640 images" in capsys.readouterr().err
    first, second = (record for record in records.read_all(Path("out")) if record.images_seen)
    assert first.curves == second.curves
    assert main(["table", "results=out"]) == 0
    assert Path("out/TABLE.md").read_text().count("source.model=ProbabilisticPCA-") >= 2


def test_a_recorded_run_is_evaluated_again_after_its_file_has_changed_or_moved(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TRAIN) == 0
    before = recorded(project)
    again = ["evaluate", before.run_id, "results=out"]
    file = Path("models/factors.py")
    file.write_text(file.read_text().replace("class Prob", "SAMPLER = 'a word more'\n\n\nclass Prob"))
    assert main([*again, "samplers.hot.temperature=1.5"]) == 0
    assert "changed since the training: factors.py;" in capsys.readouterr().err
    after = recorded(project)
    assert (after.run_id, after.config["plugins"]) == (before.run_id, before.config["plugins"])
    (hot,) = (result for result in after.results.values() if result.protocol["sampler"] == "hot")
    assert hot.code["plugins"]["model"] != before.code["plugins"]["model"] == after.code["plugins"]["model"]
    assert hot.code["plugins"]["data"] == before.code["plugins"]["data"]
    Path("models").rename("moved")
    assert main([*again, "samplers.hot.temperature=2.0"]) == 2
    assert "if it has moved, give model=PLACE" in capsys.readouterr().err
    assert main([*again, "samplers.hot.temperature=2.0", f"model={MODEL.replace('models', 'moved')}"]) == 0
    assert len(recorded(project).results) == 4
    (fingerprint,) = (key for key, result in after.results.items() if result is hot)
    by_protocol = [*again, "--protocol", fingerprint]
    assert main(by_protocol) == 2
    assert "if it has moved, give model=PLACE" in capsys.readouterr().err
    by_protocol.append(f"model={MODEL.replace('models', 'moved')}")
    assert main(by_protocol) == 0
    assert "every figure agrees to six digits" in capsys.readouterr().out
    assert main([*by_protocol, "data=mnist"]) == 2
    assert "data=mnist: is mnist, but" in capsys.readouterr().err
    Path("other.py").write_text("class Other: pass\n")
    assert main([*again, "samplers.hot.temperature=3.0", "model=./other.py:Other"]) == 2
    assert f"is Other, but {before.run_id} is of ProbabilisticPCA" in capsys.readouterr().err


@pytest.mark.slow
def test_a_metric_of_the_users_own_is_recorded_with_its_version_and_stands_in_the_table_without_its_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TRAIN) == 0
    plain = recorded(project)
    measuring = [*TRAIN, f"evaluation.metrics=[{METRIC}]"]
    assert main(measuring) == 0
    assert "metric energy_distance was not computed" in capsys.readouterr().err
    record = recorded(project)
    assert record.run_id == plain.run_id
    rows = {key: result.metrics for key, result in record.results.items()}
    assert {key: set(metrics) - {"energy_distance"} for key, metrics in rows.items()} == {
        key: set(result.metrics) for key, result in plain.results.items()
    }
    digest = run(project, "sha256sum", METRIC.partition(":")[0]).split()[0]
    for result in record.results.values():
        assert result.code["plugins"]["metric energy_distance"] == {"energy.py": digest}
        assert str(result.versions["energy_distance"]).startswith("energy_distance-")
    file = Path("figures/energy.py")
    file.write_text(file.read_text().replace("return float(2", "return 100 + float(2"))
    assert main(measuring) == 0
    assert "the source files of metric energy_distance have changed" in capsys.readouterr().err
    changed = recorded(project)
    for key, result in changed.results.items():
        moved = rows[key] | {"energy_distance": pytest.approx(rows[key]["energy_distance"] + 100, rel=1e-6)}
        assert result.metrics == moved
    assert main(TRAIN) == 0
    assert "nothing to do" in capsys.readouterr().err
    again = ["evaluate", record.run_id, "results=out", "samplers.hot.temperature=1.5"]
    file.unlink()
    assert main(again) == 2
    assert "give evaluation.metrics=[PLACE], or [] for none" in capsys.readouterr().err
    assert main([*again, "evaluation.metrics=[]"]) == 0
    capsys.readouterr()
    assert main(["table", "results=out"]) == 0
    assert main(["show", record.run_id, "results=out"]) == 0
    assert capsys.readouterr().out.count("energy distance ↓") >= 2
    assert "| energy distance ↓ |" in " ".join(Path("out/TABLE.md").read_text().split())
    assert "energy_distance,energy" not in (lines := Path("out/TABLE.csv").read_text())
    assert ",energy_distance," in lines.splitlines()[0]
    assert json.loads(Path("out/TABLE.json").read_text())["own"]["energy_distance"]["heading"] == "energy distance ↓"
    assert main(["report", "results=out"]) == 0


def test_a_metric_that_fails_ends_the_command_before_the_training(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("figures/energy.py")
    file.write_text(file.read_text().replace("return float(2", "return float(0 / 0 * 2"))
    assert main([*TRAIN, f"evaluation.metrics=[{METRIC}]"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("bench: evaluation.metrics: energy_distance fails on held-out images: ZeroDivisionError: ")
    assert said.endswith("figures/energy.py, line 13)")
    assert not list(Path("out").glob("records/probabilistic_pca-*"))


@pytest.mark.slow
def test_an_extractor_of_the_users_own_is_the_space_of_the_figures(project: Path) -> None:
    assert main([*TRAIN, f"evaluation.extractor={EXTRACTOR}"]) == 0
    record = recorded(project)
    digests = {result.protocol["extractor_digest"] for result in record.results.values()}
    assert {result.protocol["extractor"] for result in record.results.values()} == {"regions"}
    assert len(digests) == 1
    assert record.config["plugins"]["extractor"]["place"].endswith("features/regions.py:regions")
    (key, *_) = record.results
    again = ["evaluate", record.run_id, "results=out"]
    assert main([*again, f"--protocol={key}"]) == 0
    assert main([*again, "evaluation.extractor=mnist-cnn"]) == 0
    Path("features").rename("moved")
    assert main([*again, f"--protocol={key}"]) == 2
    assert main([*again, f"--protocol={key}", f"evaluation.extractor={EXTRACTOR.replace('features', 'moved')}"]) == 0


@pytest.mark.slow  # starts workers
def test_a_sweep_runs_it_in_its_workers(project: Path) -> None:
    sweep = {
        "method": "grid", "parameters": {"model": {"values": [MODEL]}, "model.components": {"values": [2, 3]}},
        "command": ["bench", "train", f"data={DATA}", *SMALL, "evaluation.timed_images=4", "${args_no_hyphens}"],
    }  # fmt: skip
    Path("sweep.yaml").write_text(json.dumps(sweep))
    assert main(["sweep", "sweep.yaml", "results=out", "--jobs", "2"]) == 0
    runs = [record.config["model"] for record in records.read_all(Path("out")) if record.images_seen]
    assert sorted(model["components"] for model in runs) == [2, 3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A function: a project's folder and a command -> what it says in a fresh environment with the suite's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    quiet = ["-q", "--disable-pip-version-check", "--no-deps"]
    source = folder / "source"
    tracked = run(ROOT, "git", "ls-files", "bench", "configs", "datamodules", "generative_trilemma", "models",
                  "pyproject.toml", "README.md", "LICENSE").split()  # fmt: skip
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    run(source, sys.executable, "-m", "pip", "wheel", *quiet, "-w", str(folder), ".")
    (wheel,) = folder.glob("*.whl")
    run(folder, sys.executable, "-m", "venv", "--system-site-packages", "fresh")
    (site,) = (folder / "fresh").glob("lib/python*/site-packages")
    # the libraries of this environment, whose own copy of the suite is editable and found after the wheel
    (site / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    run(folder, f"{folder}/fresh/bin/python", "-m", "pip", "install", *quiet, "--force-reinstall", str(wheel))

    def bench(project: Path, *words: str) -> str:
        return run(project, f"{folder}/fresh/bin/bench", *words, PYTHONPATH="")

    return bench


@pytest.mark.slow  # builds a wheel
def test_the_example_runs_from_a_wheel_in_a_fresh_environment(installed: Callable[..., str], tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    assert "commit package 0." in installed(folder, "--version")
    commands = [
        line.split() for line in DOCUMENT.split("Then, in the project's folder:")[1].split("```")[1].splitlines()
    ]
    assert [words[1] for words in commands if words] == ["check", "train", "table"]
    said = [installed(folder, *words[1:]) for words in commands if words]
    assert "probabilistic_pca keeps the contract" in said[0]
    assert "recorded: out/records/probabilistic_pca-stripes-0-" in said[1]
    assert "probabilistic_pca" in said[2]
    assert "energy distance ↓" in said[2]


@pytest.mark.slow
def test_two_ranks_train_it_as_one_process_does(installed: Callable[..., str], tmp_path: Path) -> None:
    folders = [write_project(tmp_path / name) for name in ("one", "two")]
    installed(folders[0], *TRAIN, "trainer.precision=32-true")
    installed(folders[1], *TRAIN, "trainer.precision=32-true", "trainer.devices=2")
    one, two = map(recorded, folders)
    assert (one.run_id, one.hardware["processes"], two.hardware["processes"]) == (two.run_id, 1, 2)
    figures = [{key: result.metrics["fid"] for key, result in record.results.items()} for record in (one, two)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-3)
