"""One process for each device: started here, or by torchrun or SLURM, and joined in one group for all that follows."""

import atexit
import gc
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException

from bench.config.schema import ConfigError, Trainer
from bench.runtime import ranks
from bench.runtime.console import console

logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # bench says itself what runs where
SCRIPTS_STEPS = 0xFFFFFFF0  # from this number on, a step of SLURM is a script, a shell or the like, not srun's
LONGEST_WAIT = timedelta(hours=2)  # of ranks for the first one, which measures alone what is not shared


def launch(settings: Trainer) -> None:
    """Join the processes that `settings` ask for; on one machine without a launcher, start them first.

    All of them run what follows; only the first speaks. ConfigError where there are no such devices, or a launcher
    has started another number of processes.
    """
    wanted = settings.devices * settings.num_nodes
    asked = f"trainer.devices={settings.devices} on trainer.num_nodes={settings.num_nodes}"
    if (started := started_by_launcher()) not in (None, wanted):
        raise ConfigError(f"{asked}: {wanted} processes, but the launcher has started {started}; make them equal")
    if started is None and wanted > 1:
        check_can_start(asked)
    if dist.is_available() and dist.is_initialized():  # the next run of the same command
        if ranks.world_size() != wanted:
            raise ConfigError(f"{asked}: {wanted} processes, but this command runs on {ranks.world_size()}")
        return
    strategy = DDPStrategy(process_group_backend=backend(settings), timeout=LONGEST_WAIT) if wanted > 1 else "auto"
    try:
        fabric = L.Fabric(
            accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.num_nodes, strategy=strategy,
            plugins=cluster(),
        )  # fmt: skip
        if wanted > 1:
            fabric.launch()
            atexit.register(leave)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"trainer.accelerator={settings.accelerator}, {asked}: {str(error).splitlines()[0]}"
        ) from None
    console.quiet = ranks.rank() > 0


def leave() -> None:
    """End the group's threads before Python ends: one that still lets go of a tensor then aborts the process."""
    gc.collect()  # what a finished run still holds of the group
    if dist.is_initialized():
        dist.destroy_process_group()


def backend(settings: Trainer) -> str:
    """What carries tensors between ranks; gloo on GPUs as well, for what lies in the processes' own memory."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and settings.accelerator in ("auto", "gpu") else "gloo"


def check_can_start(asked: str) -> None:
    """Refuse where this process cannot start the others, or must not."""
    if in_allocation():
        raise ConfigError(
            f"{asked}: inside a SLURM allocation srun starts the processes; write srun before the command"
        )
    if hasattr(sys, "ps1") or sys.flags.interactive:
        raise ConfigError(
            f"{asked}: a notebook or an interactive session is one process and cannot start others; "
            "use trainer.devices=1, or `bench train` in a terminal"
        )
    if sys.modules["__main__"].__spec__ is None and not Path(sys.argv[0]).is_file():
        raise ConfigError(
            f"{asked}: further processes run the same file, and `python -c` or standard input has none; "
            "use `bench train` or a file"
        )


def started_by_launcher() -> int | None:
    """How many processes torchrun or srun has started for this command; None if neither did."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment().world_size()
    if in_allocation() and under_srun():
        return number("SLURM_NTASKS")
    return None


def in_allocation() -> bool:
    """Whether SLURM has reserved this machine for the job, a shell in which to try things aside."""
    return "SLURM_NTASKS" in os.environ and SLURMEnvironment.detect()


def under_srun() -> bool:
    """Whether srun has started this process; a job's script has its own step, or none."""
    return "SLURM_STEP_ID" in os.environ and number("SLURM_STEP_ID") < SCRIPTS_STEPS


def number(variable: str) -> int:
    """A whole number of the environment; ConfigError if it is none."""
    value = os.environ[variable]
    if not value.isdecimal():
        raise ConfigError(f"{variable}={value}: not a number, though SLURM would have set one; unset it")
    return int(value)


def cluster() -> list[Any]:
    """Lightning's plugin for the launcher, where it would see one that did not start this process; at most one.

    SLURM's environment is used less Lightning's own saving on SIGUSR1, which may fall into the middle of a batch.
    """
    if TorchElasticEnvironment.detect() or not in_allocation():
        return []
    return [SLURMEnvironment(auto_requeue=False)] if under_srun() else [LightningEnvironment()]
