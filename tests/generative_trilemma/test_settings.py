"""Keyword arguments are the words of a command: both give the same settings."""

from pathlib import Path
from typing import Any

import pytest

from bench.config.load import load
from bench.runtime.errors import InputError
from datamodules.base import DataError
from generative_trilemma.settings import input_errors, words


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
