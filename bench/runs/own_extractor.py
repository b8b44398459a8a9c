"""An extractor that a user names by its place: load it, and check it before any training."""

import dataclasses
import hashlib

import torch
from torch import Tensor

from bench.config.components import configured, version
from bench.config.schema import Config, ConfigError
from bench.evaluation.features.extractor import Extractor, check_channels
from bench.runtime.errors import InputError, cause


def is_own(config: Config) -> bool:
    """Return whether the configured extractor is one that the user has named by its place."""
    return "extractor" in config.plugins


def load_own_extractor(config: Config, device: torch.device | str) -> Extractor:
    """Call the user's function with a device; ConfigError if it fails, or returns no extractor of its name.

    The extractor's digest is one of its own and of the source files, so that no features of older code are read.
    """
    component, settings = configured("extractor", config), config.evaluation
    place = component.place
    assert place is not None
    if settings.extractor_weights is not None:
        raise ConfigError(
            f"evaluation.extractor_weights={settings.extractor_weights}: not used by an extractor of your own; leave "
            "it out",
            key="evaluation.extractor_weights", value=settings.extractor_weights,
        )  # fmt: skip
    function = component.load()
    try:
        extractor = function(torch.device(device))
    except Exception as error:
        raise place.error(f"cannot be loaded: {cause(error, place.owns)}") from error
    if not isinstance(extractor, Extractor) or extractor.name != component.name:
        raise place.error(f"returns no generative_trilemma.Extractor with name={component.name!r}")
    sources = version(config.plugins["extractor"].model_dump())
    digest = hashlib.sha256(f"{extractor.digest} {sources}".encode()).hexdigest()
    return dataclasses.replace(extractor, digest=digest)


def check_own_extractor(config: Config, images: Tensor) -> None:
    """Raise ConfigError unless the extractor gives features of a few of these images, N x C x H x W."""
    extractor, place = load_own_extractor(config, "cpu"), configured("extractor", config).place
    assert place is not None
    check_channels(extractor.name, extractor.channels, images.shape[1])
    few = images[:2]
    try:
        if not isinstance(parts := extractor.module(few), tuple):
            raise place.error(f"has a module that returns {type(parts).__name__}, not a tuple of features and logits")
        features, logits = extractor.outputs(few)
    except InputError:
        raise
    except Exception as error:
        raise place.error(f"fails on images of {tuple(images.shape[1:])}: {cause(error, place.owns)}") from error
    for what, found, expected in (("features", features, extractor.dim), ("logits", logits, extractor.classes)):
        if found is not None and not extractor.by_channel and found.shape[1] != expected:
            raise place.error(f"gives {found.shape[1]} {what} of an image, but states {expected}")
