"""Settings that a data set of the user's own decides where no word is typed: `fitted` in its YAML lists their keys.

Those of the networks and of the budget follow from the images' size here. Those of the evaluation follow from the
images themselves, which `bench.runs.fitting` looks at once they are loaded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

SIDE = 32  # pixels a side, that the presets' networks and budgets are meant for
UNET = {"patch", "channels"}  # settings of the models with a U-Net


def settings_of_size(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the layer of settings that keeps a training on large images as long as it is on images of SIDE pixels.

    layers: of a configuration, the last one typed by the user. With s the power of two by which `data.size` is at most
    SIDE pixels: a U-Net takes patches s times as large, at the same cost; any other model sees 1 / s^2 of the images.
    Settings that the user typed stay.
    """
    typed, fitted = layers[-1], value(layers, "fitted", [])
    size, images, patch = (value(layers, key) for key in ("data.size", "train.images", "model.patch"))
    if not isinstance(size, int) or size <= SIDE:
        return {}
    scale = 2 ** ((size - 1) // SIDE).bit_length()
    unet = value(layers, "model", {}).keys() >= UNET
    if unet and "model.patch" in fitted and value([typed], "model.patch") is None:
        return {"model": {"patch": patch * scale}}
    if not unet and "train.images" in fitted and value([typed], "train.images") is None:
        return {"train": {"images": max(1, images // scale**2)}}
    return {}


def untyped(layers: Sequence[Mapping[str, Any]], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer with those keys in `fitted` that the user has not typed."""
    keys = [key for key in value(layers, "fitted", []) if value([typed], key) is None]
    return {"fitted": keys}


def value(layers: Sequence[Mapping[str, Any]], key: str, default: Any = None) -> Any:
    """Return the value of a key such as data.size in the last of the layers that has it; sections are merged."""
    found: Any = default
    for layer in layers:
        inner: Any = layer
        for part in key.split("."):
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        if inner is not None:
            found = {**found, **inner} if isinstance(inner, Mapping) and isinstance(found, Mapping) else inner
    return found
