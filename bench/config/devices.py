"""What a configuration comes to on this machine: its device, its precision, and the images that whole batches make."""

import math

import torch

from bench.config.schema import Config


def budget(config: Config) -> int:
    """The images that whole batches make of `train.images`."""
    return math.ceil(config.train.images / config.train.batch) * config.train.batch


def resolve_precision(config: Config) -> str:
    """`auto` is bfloat16 where it is fast: AVX512-BF16 processors and GPUs that compute in it."""
    if config.trainer.precision != "auto":
        return config.trainer.precision
    if config.trainer.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if torch.backends.mps.is_available() and config.trainer.accelerator in ("auto", "mps"):
        return "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"


def sampling_device(config: Config) -> torch.device:
    """The device that samples are drawn on: where the training ran."""
    if config.trainer.accelerator == "cpu":
        return torch.device("cpu")
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
