"""One process for each device: started here, or by torchrun or SLURM, and joined in one group for all that follows."""

import atexit
import gc
import logging
import os
from datetime import timedelta

import lightning as L
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException

from bench.evaluation import ranks
from bench.progress import console
from bench.schema import ConfigError, Trainer

logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # bench says itself what runs where
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
    if dist.is_available() and dist.is_initialized():  # the next run of the same command
        if ranks.world_size() != wanted:
            raise ConfigError(f"{asked}: {wanted} processes, but this command runs on {ranks.world_size()}")
        return
    strategy = DDPStrategy(process_group_backend=backend(settings), timeout=LONGEST_WAIT) if wanted > 1 else "auto"
    try:
        fabric = L.Fabric(
            accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.num_nodes, strategy=strategy
        )
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


def started_by_launcher() -> int | None:
    """How many processes torchrun or srun has started for this command; None if neither did."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment().world_size()
    if "SLURM_NTASKS" in os.environ and SLURMEnvironment.detect():
        return SLURMEnvironment().world_size()
    return None
