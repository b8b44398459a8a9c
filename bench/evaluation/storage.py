"""Tensors by their content: digests that no container or torch version changes, and files that are whole or absent."""

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256, in hexadecimal, of the names, dtypes, shapes and bytes of tensors of any kind on any device."""
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def save(payload: Mapping[str, object], path: Path) -> None:
    """torch.save beside `path`, then renamed onto it: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        torch.save(dict(payload), aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
