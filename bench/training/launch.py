"""Start one process a device, here or by torchrun or SLURM, and join them in one group."""

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

logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # bench itself prints what runs where
SCRIPTS_STEPS = 0xFFFFFFF0  # from this number on, a step of SLURM is a script, a shell or the like, not srun's
LONGEST_WAIT = timedelta(hours=2)  # of the other ranks for the first one, which does alone what is not shared


def launch(settings: Trainer) -> None:
    """Join the processes that `settings` require; on one machine without a launcher, start them first.

    All of them execute the following code; only the first prints. ConfigError where there are no such devices, or a
    launcher has started another number of processes.
    """
    processes = settings.devices * settings.num_nodes
    request = f"trainer.devices={settings.devices} on trainer.num_nodes={settings.num_nodes}"
    if (started := started_by_launcher()) not in (None, processes):
        raise ConfigError(f"{request}: {processes} processes, but the launcher has started {started}; make them equal")
    if started is None and processes > 1:
        check_can_start(request)
    if dist.is_available() and dist.is_initialized():  # the next run of the same command
        if ranks.world_size() != processes:
            raise ConfigError(f"{request}: {processes} processes, but this command runs on {ranks.world_size()}")
        return
    strategy = DDPStrategy(process_group_backend=backend(settings), timeout=LONGEST_WAIT) if processes > 1 else "auto"
    try:
        fabric = L.Fabric(
            accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.num_nodes, strategy=strategy,
            plugins=cluster(),
        )  # fmt: skip
        if processes > 1:
            fabric.launch()
            atexit.register(leave)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"trainer.accelerator={settings.accelerator}, {request}: {str(error).splitlines()[0]}"
        ) from None
    console.quiet = ranks.rank() > 0


def leave() -> None:
    """Stop the group's threads before Python ends: a thread that still frees a tensor would abort the process."""
    gc.collect()  # references of a finished run to the group
    if dist.is_initialized():
        dist.destroy_process_group()


def backend(settings: Trainer) -> str:
    """Return the backends that carry tensors between ranks; gloo on GPUs, too, for tensors in CPU memory."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and settings.accelerator in ("auto", "gpu") else "gloo"


def check_can_start(request: str) -> None:
    """Raise ConfigError where this process cannot start the others, or must not."""
    if in_allocation():
        raise ConfigError(
            f"{request}: inside a SLURM allocation srun starts the processes; write srun before the command"
        )
    if hasattr(sys, "ps1") or sys.flags.interactive:
        raise ConfigError(
            f"{request}: a notebook or an interactive session is one process and cannot start others; "
            "use trainer.devices=1, or `bench train` in a terminal"
        )
    if sys.modules["__main__"].__spec__ is None and not Path(sys.argv[0]).is_file():
        raise ConfigError(
            f"{request}: further processes run the same file, and `python -c` or standard input has none; "
            "use `bench train` or a file"
        )


def started_by_launcher() -> int | None:
    """Return how many processes torchrun or srun has started for this command; None if neither did."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment().world_size()
    if in_allocation() and under_srun():
        return number("SLURM_NTASKS")
    return None


def in_allocation() -> bool:
    """Return whether this is a job of SLURM; an interactive shell on a reserved machine is none."""
    return "SLURM_NTASKS" in os.environ and SLURMEnvironment.detect()


def under_srun() -> bool:
    """Return whether srun has started this process; the job script has a step of its own, or none."""
    return "SLURM_STEP_ID" in os.environ and number("SLURM_STEP_ID") < SCRIPTS_STEPS


def number(variable: str) -> int:
    """Return a whole number of the environment; ConfigError if it is not one."""
    value = os.environ[variable]
    if not value.isdecimal():
        raise ConfigError(f"{variable}={value}: not a number, though SLURM would have set one; unset it")
    return int(value)


def cluster() -> list[Any]:
    """Return the plugin for the launcher where Lightning's own choice would be wrong; at most one.

    SLURM's environment is used without Lightning's own saving on SIGUSR1, which may interrupt a batch.
    """
    if TorchElasticEnvironment.detect() or not in_allocation():
        return []
    return [SLURMEnvironment(auto_requeue=False)] if under_srun() else [LightningEnvironment()]
