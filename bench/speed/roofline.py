"""Compare training and sampling with the rate of the machine's own matrix products, in the same precision.

Operations are those of products and convolutions, a multiplication and an addition each, which PyTorch counts; all
others, which move memory, count as none. So the ratio is the share of the peak, and the note says which operators take
the time. Williams, Waterman and Patterson 2009, Roofline.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from bench.config.devices import resolve_precision
from bench.config.load import load
from bench.runs.build import build_data, build_model, data_spec
from bench.speed.answers import Answer, Tick, answer, interleave
from bench.speed.bare import BareLoop
from bench.speed.turns import ENDLESS, now
from models import MODELS
from models.ddpm import DDPM

ROUNDS = 7
SIDE = 2048  # of the matrices
BATCHES = 4  # trained in a round
SAMPLED, STEPS = 64, 4  # images, and the steps of a round
OPERATORS = 4  # that a note names
Work = Callable[[], object]


def measure(tick: Tick) -> list[Answer]:
    """Return an answer for each family's training, and for a step of the DDPM's sampling."""
    share = 1 / (len(MODELS) + 1)
    answers = []
    for name in MODELS:
        (config,) = load(["preset=quick", f"model={name}", f"train.images={ENDLESS}"])
        data = build_data(config)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        precision = resolve_precision(config)
        loop = BareLoop(build_model(config, data_spec(data)), data.train_dataloader(), precision, device)
        work = partial(loop.turn, BATCHES, 0.0)
        answers.append(compare_with_peak(f"training {name}", work, precision, device, lambda part: tick(share * part)))
        if isinstance(loop.model, DDPM):
            loop.model.eval()
            sampling = partial(sample, loop.model, precision, device)
            answers.append(
                compare_with_peak(f"sampling {name}", sampling, precision, device, lambda part: tick(share * part))
            )
    return answers


def sample(model: DDPM, precision: str, device: torch.device) -> None:
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
        model.sample(SAMPLED, torch.Generator(device).manual_seed(0), steps=STEPS)


def compare_with_peak(what: str, work: Work, precision: str, device: torch.device, tick: Tick) -> Answer:
    """Answer by the operations a second of `work` beside those of a product of two matrices."""
    work()  # memory is allocated, and schedules are built
    with FlopCounterMode(display=False) as counter:
        work()
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    left, right = (torch.randn(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    sides: dict[str, tuple[Work, float]] = {
        "ours": (work, counter.get_total_flops()),
        "peak": (partial(torch.mm, left, right), 2.0 * SIDE**3),
    }
    rounds = interleave(
        {name: partial(seconds_of_giga, side, operations, device) for name, (side, operations) in sides.items()},
        ROUNDS,
        tick,
    )
    note = f"{precision}; {shares_of_time(work, device)}"
    return answer(rounds, what, "the machine's matrix product", "GFLOP/s", "ours", "peak", None, note)


def seconds_of_giga(work: Work, operations: float, device: torch.device) -> float:
    """Return the seconds of 10^9 operations."""
    start = now(device)
    work()
    return (now(device) - start) / operations * 1e9


def shares_of_time(work: Work, device: torch.device) -> str:
    """Return the operators that take the most time themselves, with their shares of all."""
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    times = {event.key: float(event.self_device_time_total if cuda else event.self_cpu_time_total) for event in events}
    total = sum(times.values())
    longest = sorted(times, key=lambda key: times[key], reverse=True)[:OPERATORS]
    return ", ".join(f"{key.removeprefix('aten::')} {times[key] / total:.0%}" for key in longest)
