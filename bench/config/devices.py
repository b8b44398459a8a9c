"""Resolve a configuration on this machine: device, precision, and the budget in whole batches."""

import math

import torch

from bench.config.schema import Config


def budget(config: Config) -> int:
    """Return the training budget in images: `train.images` rounded up to whole batches."""
    return math.ceil(config.train.images / config.train.batch) * config.train.batch


def resolve_precision(config: Config) -> str:
    """Resolve `auto` to bfloat16 where it is fast: CPUs with AVX512-BF16, and GPUs that compute in it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if config.trainer.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if torch.backends.mps.is_available() and config.trainer.accelerator in ("auto", "mps"):
        return "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"


def sampling_device(config: Config) -> torch.device:
    """Return the device that samples are drawn on: this machine's accelerator unless the run is bound to the CPU."""
    if config.trainer.accelerator == "cpu":
        return torch.device("cpu")
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
