"""Errors carry the key, the value and the choices of the setting that is wrong; their wording is in test_load.py."""

import pickle
from typing import Any

import pytest

from bench.config.load import load, names
from bench.config.schema import ConfigError, check_name
from datamodules import DATAMODULES
from models import MODELS

WRONG: dict[str, tuple[str, object, Any]] = {  # word -> key, value, choices
    "model=vea": ("model", "vea", MODELS),
    "data=mnits": ("data", "mnits", DATAMODULES),
    "preset=quik": ("preset", "quik", names("preset")),
    "samplers=[ddim-5O]": ("samplers", "ddim-5O", [f"{name}-STEPS" for name in names("sampler")]),
    "headline=ddim-5O": (
        "headline",
        "ddim-5O",
        ["ancestral-1000", "ancestral-100", "sde-dpm-solver-20", "autoguided-20"],
    ),
    "train.imges=3": ("train.imges", 3, ["images", "batch"]),
    "train.images=-5": ("train.images", -5, ()),
    "trainer.precision=16": ("trainer.precision", "16", ()),
    "seed=-1": ("seed", -1, ()),
    "model.T=0": ("model.T", 0, ()),
    "data.size=3": ("data.size", "3", ["root"]),
    "samplers.ddim-50.stps=3": (
        "samplers.ddim-50.stps",
        "3",
        [
            "steps",
            "method",
            "grid",
            "eta",
            "sigma_max",
            "sigma_min",
            "guidance",
            "label_guidance",
            "guided_from",
            "guided_to",
            "function",
        ],
    ),
}


@pytest.mark.parametrize("word", WRONG)
def test_an_error_carries_the_key_the_value_and_the_choices(word: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(["model=ddpm", "data=mnist", "preset=quick", word])
    key, value, choices = WRONG[word]
    assert (error.value.key, str(error.value.value)) == (key, str(value))
    assert set(error.value.choices) == set(choices)
    for part in (key, *choices):
        assert part in str(error.value)


def test_a_missing_setting_has_its_key() -> None:
    with pytest.raises(ConfigError) as error:
        load(["model=vae", "data=image_folder"])
    assert (error.value.key, error.value.value, error.value.choices) == ("data.root", None, ())


def test_the_error_of_another_process_is_the_same_error() -> None:
    with pytest.raises(ConfigError) as error:
        check_name("model", "vea", ["vae"])
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), vars(again)) == (str(error.value), vars(error.value))
