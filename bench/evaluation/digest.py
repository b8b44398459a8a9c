"""Digest tensors by their content, whatever the container or the version of torch, and write files atomically."""

import hashlib
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256, in hexadecimal, of the names, dtypes, shapes and bytes of tensors on any device."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def save(payload: Mapping[str, object], path: Path) -> None:
    """Write with torch.save beside `path`, then rename: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        torch.save(dict(payload), aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def to_cache(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors and their digest for `from_cache`; log a warning where the file cannot be written."""
    try:
        save({"tensors": dict(tensors), "digest": digest(tensors)}, path)
    except OSError as error:  # a full or read-only disk costs the next run time, not this one its result
        logger.warning("%s could not be cached: %s", path.name, error)


def from_cache(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor] | None:
    """Return the cached tensors of these names and shapes; None if the file is missing or damaged."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        tensors: dict[str, Tensor] = content["tensors"]
        sound = digest(tensors) == content["digest"]
        sound = sound and {name: tuple(tensor.shape) for name, tensor in tensors.items()} == dict(shapes)
    except Exception:  # whatever a damaged file raises, the answer is to compute again
        sound = False
    if not sound:
        logger.warning("the cached file %s is damaged and will be computed again", path)
    return tensors if sound else None
