"""What cannot be trained, sampled or evaluated is refused before any training; equal seeds build equal models."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from bench.cli.main import main
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.runs.build import build_data, build_model, data_spec, load_weights, preflight
from models.base import DataSpec


def test_too_few_images_for_neighbours_are_refused(
    small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(40):
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")
    wrong = ["train", "model=vae", "data=image_folder", f"data.root={folder}", "data.size=8", "preset=smoke"]
    assert main([*wrong, "evaluation.extractor=mnist-cnn", "evaluation.samples=16"]) == 2
    assert "4 images in the smaller split are too few for 5 nearest neighbours" in " ".join(
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
