"""Networks and budgets follow the size of images of the user's own, and a typed value stays."""

import pytest

from bench.config.load import load
from bench.config.schema import Config, ConfigError

FOLDER = ["preset=quick", "data=image_folder", "data.root=/x"]


def configs(*words: str) -> dict[str, Config]:
    return {config.model["name"]: config for config in load([*FOLDER, *words])}


def test_up_to_32_pixels_all_is_as_the_preset_has_it() -> None:
    published = {config.model["name"]: config for config in load(["preset=quick", "data=cifar10"])}
    for size in (8, 28, 32):
        for name, config in configs(f"data.size={size}").items():
            assert (config.model, config.train) == (published[name].model, published[name].train)


@pytest.mark.parametrize(("size", "scale"), [(33, 2), (64, 2), (65, 4), (128, 4), (256, 8)])
def test_larger_images_cost_as_much(size: int, scale: int) -> None:
    small, large = configs("data.size=32"), configs(f"data.size={size}")
    assert small.keys() == large.keys()
    for name, config in large.items():
        images, patch = small[name].train.images, small[name].model.get("patch")
        if name == "ddpm":  # a U-Net sees as many patches as before
            assert (config.train.images, config.model["patch"]) == (images, small[name].model["patch"] * scale)
        else:
            assert (config.train.images, config.model.get("patch")) == (images // scale**2, patch)


def test_what_is_typed_is_used_and_what_is_not_is_listed() -> None:
    words = ["data.size=64", "train.images=999", "model.patch=4", "evaluation.samples=50"]
    (ddpm,), (vae,) = load([*FOLDER, *words, "model=ddpm"]), load([*FOLDER, *words[:2], "model=vae"])
    assert (ddpm.train.images, ddpm.model["patch"], ddpm.evaluation.samples) == (999, 4, 50)
    assert ddpm.fitted == ["evaluation.extractor"]
    assert vae.train.images == 999
    assert vae.fitted == ["evaluation.extractor", "evaluation.samples", "model.patch"]


def test_published_sets_leave_nothing_open_and_no_record_has_the_list() -> None:
    (config,) = load(["model=vae", "data=celeba"])
    assert (config.fitted, config.train.images) == ([], load(["model=vae"])[0].train.images)
    assert "fitted" not in configs()["vae"].model_dump()


def test_the_list_cannot_be_typed() -> None:
    with pytest.raises(ConfigError, match="fitted=.*: cannot be set; type the setting itself"):
        load([*FOLDER, "fitted=[]"])
