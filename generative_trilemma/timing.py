"""Time a sampler from Python."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.results.records import Result
from bench.table.columns import in_units
from bench.table.rows import disturbances, timings
from generative_trilemma.measurement import Measurement, measured

if TYPE_CHECKING:
    import torch


def time_sampling(
    sample: "Callable[[int, torch.Generator], torch.Tensor]",
    *,
    images: int = 100,
    repeats: int = 3,
    networks: "Sequence[torch.nn.Module]" = (),
    device: str = "cpu",
) -> Measurement:
    """Time a sampler as the rows of the table are timed; the times compare on equal hardware only.

    sample: (n, generator) -> n images.
    images: images a call, at least 1.
    repeats: calls, at least 1; a fast sampler is called more often, for two seconds.
    networks: the modules whose passes count as network evaluations (NFE); without them that figure is left out.
    device: of the generator, as in "cuda"; the device is synchronised before and after each call.

    Raises InputError for numbers below 1. Figures: `seconds_per_100`, `images_per_second`, `latency_ms`, and where
    they are known `nfe` and `peak_memory_mb`.
    """
    import torch

    from bench.evaluation import timing

    with torch.no_grad():
        known = timing.time_sampling(sample, networks=networks, images=images, repeats=repeats, device=device)
    times, hardware = dataclasses.asdict(known), timing.hardware(device)
    conditions = {key: times[key] for key in ("images", "repeats", "peak_memory_of", "cores_of_others")}
    calls = f"{known.repeats} calls of {known.images:,} images" if known.repeats > 1 else f"{known.images:,} images"
    return Measurement(
        title=f"Time of sampling, {calls}",
        figures=measured({key: in_units(key, figure) for key, figure in timings(times).items()}),
        protocol=conditions | hardware,
        about=f"on {known.device}, {known.threads} CPU threads",
        flags=tuple(disturbances(Result(protocol={}, timing=times, hardware=hardware))),
    )
