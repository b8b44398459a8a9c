"""`bench train` refuses settings that make no model before anything is trained."""

import shutil
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.results.records import read_all, write


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["model=vae", "model.latent_dim=0"], "model.latent_dim=0: input should be greater than 0"),
        (["model=vqvae", "model.codebook_size=1"], "model.codebook_size=1"),
        (["model=vqvae", "model.prior_heads=3"], "prior_dim=128 cannot be divided among prior_heads=3"),
        (["model=dae", "model.level=1.5"], "level=1.5"),
        (["model=dae", "model.corruption=blur"], "model.corruption=blur: input should be 'gaussian', 'masking'"),
        (["model=pixel_ar", "model.patch=0"], "model.patch=0"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_settings_that_make_no_model_are_refused_before_training(
    wrong: list[str], said: str, small_mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "preset=smoke", *wrong]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (small_mnist / "results").exists()


@pytest.fixture
def trained(example_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder, in which nothing is to be trained."""
    monkeypatch.setattr("bench.runs.run.run_config", lambda config: [])
    shutil.copytree(example_results, tmp_path / "r")
    return tmp_path / "r"


def test_all_models_of_a_preset_end_with_the_table_and_the_page(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = next(record for record in read_all(trained) if record.family != "data")
    words = [f"preset={record.preset}", f"data={record.config['data']['name']}", f"results={trained}"]
    assert main(["train", *words]) == 0
    trains = capsys.readouterr()
    files = {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    assert {"TABLE.md", "TABLE.csv", "report.html"} <= files.keys()
    assert main(["table", *words]) == 0
    assert trains.out == capsys.readouterr().out
    assert main(["report", f"results={trained}"]) == 0
    assert {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()} == files


def test_one_model_of_several_ends_with_its_record(trained: Path) -> None:
    assert main(["train", "preset=quick", "model=vae", f"results={trained}"]) == 0
    assert not (trained / "report.html").exists()


def test_records_that_do_not_compare_leave_the_page_alone(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = next(record for record in read_all(trained) if record.family != "data")
    result = next(iter(first.results.values()))
    other = result.model_copy(update={"protocol": result.protocol | {"samples": 2001}})
    write(first.model_copy(update={"results": {"other": other}}), trained)
    words = [f"preset={first.preset}", f"data={first.config['data']['name']}", f"results={trained}"]
    assert main(["train", *words]) == 0
    assert "no table: results of two protocols: samples" in capsys.readouterr().err
    assert (trained / "report.html").exists()
