"""The pipeline from a command to its record: done once, never overwritten, mistakes in one sentence."""

import errno
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.load import load
from bench.results.identity import run_id
from bench.runtime.locks import exclusive

Words = Callable[..., list[str]]
Finished = Callable[..., Path]


def record(results: Path, model: str) -> dict:
    (file,) = (results / "records").glob(f"{model}-*.json")
    return json.loads(file.read_text())


def test_a_finished_run_says_so_and_does_nothing(
    finished: Finished, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    results = finished("vae")
    files = {file: file.stat().st_mtime_ns for file in results.rglob("*") if file.is_file()}
    capsys.readouterr()
    assert main(tiny_run("vae")) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert {file: file.stat().st_mtime_ns for file in results.rglob("*") if file.is_file()} == files


def test_a_run_that_another_job_is_at_work_on_is_waited_for_and_not_made_again(
    finished: Finished, small_mnist: Path, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    (config,) = load(tiny_run("vae")[1:])
    status: list[int] = []
    command = threading.Thread(target=lambda: status.append(main(tiny_run("vae"))))
    with exclusive(Path("r"), run_id(config)):
        command.start()
        said = ""
        while "is working on it" not in said and command.is_alive():
            time.sleep(0.05)
            said += capsys.readouterr().err
        finished("vae")  # as the other job leaves it
    command.join()
    assert status == [0]
    assert "another process is working on it in r; waiting until it ends" in " ".join(said.split())
    assert "nothing to do" in capsys.readouterr().err


def test_a_run_stopped_in_its_last_write_is_brought_to_its_end(
    finished: Finished, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    results = finished("vae")
    (file,) = (results / "records").glob("vae-*.json")
    done = record(results, "vae")
    seconds = done.pop("evaluate_seconds")
    drawn = {file: file.read_bytes() for file in (results / "pictures" / done["run_id"]).rglob("*.png")}
    file.write_text(json.dumps(done))  # all its figures, but not the end of its command
    file.with_name(f".{file.name}.a1b2c3d4").write_text("half of it")
    (results / "pictures" / done["run_id"] / "reconstructions.png").unlink()
    assert main(tiny_run("vae")) == 0
    again = record(results, "vae")
    assert 0 < again.pop("evaluate_seconds") < seconds
    assert again == done
    assert {file: file.read_bytes() for file in (results / "pictures" / done["run_id"]).rglob("*.png")} == drawn
    assert not list(file.parent.glob(".*"))
    assert "nothing to do" not in capsys.readouterr().err
    assert main(tiny_run("vae")) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_new_samplers_and_protocols_add_rows_without_training(finished: Finished) -> None:
    results = finished("ddpm")
    before = record(results, "ddpm")
    assert main(["evaluate", before["run_id"], f"results={results}", "samplers=[ancestral-20]"]) == 0
    after = record(results, "ddpm")
    assert before["results"].items() < after["results"].items()
    assert {r["protocol"]["sampler"] for r in after["results"].values()} == {"ddim-10", "ancestral-20"}
    assert {r["timing"]["nfe"] for r in after["results"].values()} == {10, 20}
    assert before["train_seconds"] == after["train_seconds"]


def test_a_timed_only_row_has_no_figures_until_they_are_asked_for(finished: Finished, tiny_run: Words) -> None:
    results = finished("ddpm", "evaluation.timed_only=[ddim-10]")
    (row,) = record(results, "ddpm")["results"].values()
    assert row["metrics"] == {}
    assert row["timing"]["nfe"] == 10
    assert main(tiny_run("ddpm")) == 0
    (row,) = record(results, "ddpm")["results"].values()
    assert row["metrics"]["fid"] > 0


def test_postponed_timings_are_all_that_the_next_call_measures(
    finished: Finished, tiny_run: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a sweep whose cells share the machine; a sampler that is only timed waits as a whole."""
    monkeypatch.setenv("BENCH_TIMINGS", "postponed")
    words = ["samplers=[ddim-10,ancestral-20]", "evaluation.timed_only=[ancestral-20]", "headline=ddim-10"]
    results = finished("ddpm", *words)
    before = record(results, "ddpm")
    (row,) = before["results"].values()
    assert (row["protocol"]["sampler"], row["timing"]) == ("ddim-10", {})
    files = {file: file.stat().st_mtime_ns for file in (results / "pictures").rglob("*.png")}
    monkeypatch.delenv("BENCH_TIMINGS")
    assert main([*tiny_run("ddpm"), *words]) == 0
    after = record(results, "ddpm")
    assert {r["protocol"]["sampler"]: r["timing"]["nfe"] for r in after["results"].values()} == {
        "ddim-10": 10,
        "ancestral-20": 20,
    }
    for fingerprint, result in before["results"].items():
        assert after["results"][fingerprint]["metrics"] == result["metrics"]
    assert {file: file.stat().st_mtime_ns for file in (results / "pictures").rglob("*.png")} == files


def test_other_images_behind_the_same_identity_are_refused(
    finished: Finished, tiny_run: Words, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished("vae")
    monkeypatch.setattr("datamodules.mnist.Mnist.digest", lambda self, split: "0" * 64)
    assert main(tiny_run("vae")) == 2
    assert "made from other images" in capsys.readouterr().err


def test_a_damaged_record_is_an_error_that_names_it(
    finished: Finished, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    finished("vae")
    (file,) = Path("r/records").glob("vae-*.json")
    file.write_text(file.read_text()[:100])
    capsys.readouterr()
    for command in (tiny_run("vae"), ["table", "results=r"]):
        assert main(command) == 2
        assert str(file) in capsys.readouterr().err


def test_pictures_that_could_not_be_drawn_are_drawn_by_the_same_command(
    small_mnist: Path, tiny_run: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = small_mnist / "r"

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("bench.plots.model_pictures.draw", full)
        assert main(tiny_run("vae")) == 2
    assert main(tiny_run("vae")) == 0
    assert (next((results / "pictures").iterdir()) / "reconstructions.png").exists()


def test_a_record_without_weights_is_never_overwritten(
    finished: Finished, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    results = finished("gan")
    (weights_file,) = results.glob("runs/*/final.ckpt")
    weights_file.unlink()
    (file,) = (results / "records").glob("gan-*.json")
    text = file.read_text()
    assert main(tiny_run("gan")) == 0, "what is recorded needs no weights"
    assert main(tiny_run("gan", "evaluation.seed=1")) == 2
    assert "missing, so" in capsys.readouterr().err
    assert file.read_text() == text


def test_a_training_that_diverges_ends_in_one_sentence_and_no_record(
    small_mnist: Path, tiny_run: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    results = small_mnist / "r"
    assert main(tiny_run("ddpm", "train.images=640", "model.learning_rate=1e30")) == 2
    assert "a lower model.learning_rate may help" in capsys.readouterr().err
    assert not list((results / "records").glob("ddpm-*.json"))
