"""A run whose images have moved is evaluated where they are; what the command does not use is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.main import main


@pytest.fixture
def moved(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`bench evaluate` of a run whose images have moved to the folder `new`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.runs.context.CACHE", tmp_path / "cache")
    (tmp_path / "old").mkdir()
    for file in sorted(digits.iterdir())[:200]:
        (tmp_path / "old" / file.name).write_bytes(file.read_bytes())
    words = [
        "train", "model=vae", "preset=smoke", "data=image_folder", "data.root=old", "data.size=8", "train.images=64",
        "train.batch=32", "evaluation.extractor=mnist-cnn", "evaluation.samples=16", "evaluation.timed_images=4",
        "model.width=4", "model.hidden=8", "trainer.accelerator=cpu", "results=r",
    ]  # fmt: skip
    assert main(words) == 0
    (tmp_path / "old").rename(tmp_path / "new")
    (record,) = (tmp_path / "r" / "records").glob("vae-*.json")
    return lambda *more: main(["evaluate", record.stem, "results=r", "evaluation.seed=1", *more])


def test_a_run_whose_images_have_moved_is_evaluated_where_they_are(
    moved: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert moved() == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "data.root=old is not a folder; if the images of vae-image_folder-0-" in said
    assert said.endswith("have moved, give data.root=DIR")
    assert moved("data.size=4", "data.root=new") == 2
    assert "data.size: `bench evaluate` takes evaluation.*, samplers.*, data.root and results only" in " ".join(
        capsys.readouterr().err.split()
    )
    assert moved("data.root=new") == 0


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "--data, --reference and --name belong to --images=PATH" in refusal("evaluate RUN --name x")


@pytest.mark.parametrize("option", ["--reference=", "--data=", "--protocol="])
def test_an_option_without_its_value_is_refused_and_stands_for_no_other(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", f"--images={tmp_path}", option, f"results={tmp_path / 'r'}"]) == 2
    assert option.rstrip("=").strip("-") in capsys.readouterr().err
    assert not (tmp_path / "r/records").exists()
