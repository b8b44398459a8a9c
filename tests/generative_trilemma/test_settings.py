"""Keyword arguments are the words of a command: both give the same settings."""

from pathlib import Path
from typing import Any

import pytest

from bench.config.load import load
from bench.runtime.errors import InputError
from datamodules.base import DataError
from generative_trilemma.settings import input_errors, python_names, words


@pytest.mark.parametrize(
    ("settings", "typed"),
    [
        ({"train__images": 640, "seed": 1}, ["train.images=640", "seed=1"]),
        ({"train.images": 640}, ["train.images=640"]),
        ({"model__learning_rate": 1e-5}, ["model.learning_rate=1e-05"]),
        ({"evaluation__extractor_weights": None}, ["evaluation.extractor_weights=null"]),
        ({"results": Path("a b")}, ["results=a b"]),
    ],
)
def test_settings_are_words(settings: dict[str, Any], typed: list[str]) -> None:
    assert words(settings) == typed
    assert load(["model=vae", *words(settings)]) == load(["model=vae", *typed])


def test_lists_sections_and_truth_are_read_as_they_were_given() -> None:
    given: dict[str, Any] = {"model": "ddpm", "model__channels": [8, 8], "samplers": ["ddim-10", "ddim-20"]}
    (config,) = load(words(given | {"headline": "ddim-10"}))
    assert config.model["channels"] == [8, 8]
    assert list(config.samplers) == ["ddim-10", "ddim-20"]
    assert words({"a": True, "b": {"c": False}}) == ["a=true", 'b={"c": false}']


def test_a_mistake_in_data_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no images"), input_errors():
        raise DataError("no images")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("evaluation.samples=9: more; set evaluation.samples=8 or fewer", "samples=9: more; set samples=8 or fewer"),
        ("model.latent: unknown key", "model__latent: unknown key"),
        ("choose with evaluation.seed=1 or evaluation.seed=2", "choose with evaluation__seed=1 or evaluation__seed=2"),
        ("data.root=/x/data.a/train.images is not a folder", "data__root=/x/data.a/train.images is not a folder"),
        ("no module models.mine is installed", "no module models.mine is installed"),
    ],
)
def test_messages_name_the_keyword_arguments(said: str, named: str) -> None:
    key = said.partition("=")[0]
    with pytest.raises(InputError) as error, python_names(evaluation__samples="samples"):
        raise InputError(said, key=key)
    assert str(error.value) == named
    with pytest.raises(InputError) as error, input_errors(evaluation__samples="samples"):
        raise DataError(said)
    assert str(error.value) == named


def test_the_attribute_key_is_the_argument_too() -> None:
    with pytest.raises(InputError) as error, python_names():
        raise InputError("evaluation.seed=x: no", key="evaluation.seed")
    assert error.value.key == "evaluation__seed"
