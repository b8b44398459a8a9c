"""What cannot be trained, sampled or evaluated is refused before any training; equal seeds build equal models."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.runs.build import build_data, build_model, check_splits, data_spec, load_weights, preflight
from datamodules.base import DataError
from models.base import DataSpec
from tests.projects import DATA, FILES, MODEL, write_project


def test_too_few_images_for_neighbours_are_refused(
    small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(22):
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    wrong = ["train", "model=vae", "data=image_folder", f"data.root={folder}", "data.size=8", "preset=smoke"]
    assert main([*wrong, "evaluation.extractor=mnist-cnn"]) == 2
    assert "7 images in the smaller split are too few to be evaluated; give at least 8" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_images_too_small_for_their_comparison_are_refused(
    size: int, small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    for number in range(200):
        Image.new("L", (4, 4), number).save(folder / f"{number}.png")
    wrong = ["train", "model=vae", "data=image_folder", f"data.root={folder}", f"data.size={size}"]
    assert main([*wrong, "preset=smoke", "evaluation.extractor=mnist-cnn", "evaluation.samples=16"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"images of {size} x {size} pixels are too small; the evaluation needs 4 x 4 or more" in said


def test_a_seed_decides_the_initial_weights(tiny: dict[str, list[str]]) -> None:
    first, again, other = (
        build_model(load(["model=vae", *tiny["vae"], f"seed={seed}"])[0], DataSpec((1, 28, 28))).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_final_weights_are_loaded_and_those_of_another_version_refused(
    tiny: dict[str, list[str]], tmp_path: Path
) -> None:
    first, other = (
        build_model(load(["model=vae", *tiny["vae"], f"seed={seed}"])[0], DataSpec((1, 28, 28))) for seed in (0, 1)
    )
    file = tmp_path / "final.ckpt"
    torch.save({"state_dict": first.state_dict()}, file)
    load_weights(other, file)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in first.state_dict().items())
    torch.save({"state_dict": {f"old.{name}": value for name, value in first.state_dict().items()}}, file)
    with pytest.raises(ConfigError, match=re.escape(f"{file}: weights of another version of the model")):
        load_weights(other, file)


def test_a_sampler_that_the_model_refuses_is_named_before_any_training(small_mnist: Path) -> None:
    (config,) = load(["model=ddpm", "samplers=[ddim-10]", "model.T=5", "model.channels=[8,8]", "headline=ddim-10"])
    data = build_data(config)
    with pytest.raises(ConfigError, match="samplers.ddim-10: "):
        preflight(config, data, build_model(config, data_spec(data)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return stripes(1000, seed=1)", "return 1 / 0", "cannot be loaded: ZeroDivisionError: division by zero ("),
        (
            "images.to(torch.uint8)",
            "images.to(torch.int64)",
            "the training images are torch.int64; expected torch.u",
        ),
        ("images.to(torch.uint8)", "images.to(torch.float32)", "the training images reach 255; expected float32 in"),
        ("images.to(torch.uint8)", "images[:, 0].to(torch.uint8)", "cannot be loaded: ValueError: not enough values"),
        (".contiguous(), labels", ".contiguous(), labels.float()", "have labels of torch.float32, (1000,); expected"),
        ("stripes(400, seed=2)", "Split(*(x[..., :9] for x in vars(stripes(400, 2)).values()))", "(400, 1, 28, 9)"),
    ],
)
def test_a_data_set_of_the_users_own_that_gives_no_images_is_one_sentence(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(write_project(tmp_path))
    assert old in FILES["data/stripes.py"]
    Path("data/stripes.py").write_text(FILES["data/stripes.py"].replace(old, new))
    assert main(["train", "model=vae", f"data={DATA}", "preset=smoke", "results=r"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_model_of_the_users_own_that_cannot_be_built_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_project(tmp_path))
    file = Path("models/factors.py")
    file.write_text(file.read_text().replace("nn.Linear(components", "nn.Linear('components'"))
    (config,) = load([f"model={MODEL}"])
    with pytest.raises(
        ConfigError, match=r"cannot be built for images of \(1, 28, 28\): TypeError: .*factors.py, line"
    ):
        build_model(config, DataSpec((1, 28, 28)))


def test_a_labelled_folder_tells_models_the_shares_of_its_classes(tmp_path: Path) -> None:
    for name, count in (("cat", 150), ("dog", 50)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number}.png")
    words = ["model=vae", "data=image_folder", f"data.root={tmp_path}", "data.size=8"]
    assert data_spec(build_data(load(words)[0])) == DataSpec((1, 8, 8))
    assert data_spec(build_data(load([*words, "data.classes=folders"])[0])) == DataSpec((1, 8, 8), (0.75, 0.25))


def test_a_model_whose_labels_and_setting_disagree_is_refused() -> None:
    (config,) = load(["model=gan", "model.width=4"])
    data = build_data(config)
    model = build_model(config, data_spec(data))
    model.classes = 10
    with pytest.raises(ConfigError, match="model=gan: takes labels, but its setting condition is none"):
        preflight(config, data, model)


@pytest.mark.parametrize(("split", "label"), [("train", -1), ("test", 10)])
def test_labels_that_no_model_could_take_are_refused(split: str, label: int) -> None:
    (config,) = load(["model=gan"])
    data = build_data(config)
    check_splits(data)
    labels = getattr(data, f"{split}_labels").clone()
    labels[3] = label
    setattr(data, f"{split}_labels", labels)
    with pytest.raises(DataError, match="expected 0 to 9, the largest in training"):
        check_splits(data)
