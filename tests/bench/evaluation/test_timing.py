import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.evaluation import timing
from bench.evaluation.errors import EvaluationError
from bench.evaluation.metrics.intervals import half_width
from bench.evaluation.timing import hardware, in_blocks, time_sampling


class Sampler:
    """Runs a network for some steps and remembers how many images were asked for."""

    def __init__(self, steps: int, seconds_per_image: float = 0.0) -> None:
        self.network = nn.Linear(1, 1)
        self.steps, self.seconds_per_image = steps, seconds_per_image
        self.asked: list[int] = []

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        self.asked.append(n)
        time.sleep(n * self.seconds_per_image)
        x = torch.randn(n, 1, generator=generator)
        for _ in range(self.steps):
            x = self.network(x)
        return x


def test_the_figures_agree_with_each_other_and_with_the_clock() -> None:
    result = time_sampling(Sampler(1, seconds_per_image=0.002), images=10, repeats=3)
    assert 0.2 <= result.seconds_per_100 < 1  # a busy machine may be late, never early
    assert result.seconds_per_100 * result.images_per_second == pytest.approx(100)
    assert 0.002 <= result.latency < 0.1
    assert result.nfe is None


def test_fast_samplers_are_timed_until_they_settle_and_slow_ones_as_often_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock by which calls take 0.2, 0.1, 0.3 seconds in turn: three reach half a second."""
    monkeypatch.setattr(timing, "SETTLED", 0.5)
    monkeypatch.setattr(timing, "SETTLED_ONE", 0.3)
    ticks = iter([0.0] * 2 + [0.0, 0.1] + [0.0, 0.3] + [0.0, 0.2] + [0.0, 0.1] + [0.0, 0.3])
    monkeypatch.setattr("bench.evaluation.timing.time.perf_counter", lambda: next(ticks))
    result = time_sampling(Sampler(1), images=50, repeats=2)
    assert (result.repeats, result.seconds_per_100) == (3, pytest.approx(0.4))
    assert result.latency == pytest.approx(0.2)
    assert result.latency_interval is not None
    half = 2 * half_width([0.1, 0.2, 0.3])
    assert result.seconds_per_100_interval == pytest.approx((0, result.seconds_per_100 + half))  # cut at 0
    ticks = iter([0.0] * 2 + [0.0, 9.0] + [0.0, 9.0])
    assert time_sampling(Sampler(1), images=50, repeats=1).seconds_per_100_interval is None


def test_the_interval_is_of_the_figure_and_knows_that_calls_are_alike() -> None:
    """Calls that are alike in tens are ten facts, not a hundred."""
    alike = [1.0 + 0.1 * (i // 10 % 3) for i in range(100)]
    value, interval = in_blocks(alike)
    assert value == pytest.approx(sum(alike) / 100)
    assert interval is not None
    assert (interval[0] + interval[1]) / 2 == pytest.approx(value)
    assert interval[1] - value > 2.5 * half_width(alike)
    disturbed, _ = in_blocks([1.0] * 24 + [9.0] + [1.0] * 25)
    assert disturbed == 1  # one call in a block of five
    assert in_blocks([2.0]) == (2.0, None)


def test_nfe_counts_forward_calls_of_one_call() -> None:
    sampler = Sampler(steps=7)
    assert time_sampling(sampler, networks=(sampler.network,), images=5, repeats=2).nfe == 7


def test_warm_up_is_one_image_and_calls_of_one_image_come_first() -> None:
    sampler = Sampler(1)
    time_sampling(sampler, images=5, repeats=2)
    ones = sampler.asked.index(5)
    assert 3 <= ones <= 1 + timing.MOST_REPEATS
    assert set(sampler.asked[:ones]) == {1}
    assert set(sampler.asked[ones:]) == {5}  # until a fast sampler's figure has settled


def test_the_hook_is_gone_even_when_sampling_fails() -> None:
    network = nn.Linear(1, 1)

    def fails(n: int, generator: torch.Generator) -> Tensor:
        network(torch.ones(1, 1))
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        time_sampling(fails, networks=(network,))
    assert not network._forward_hooks


@pytest.mark.skipif(not timing.PROC.exists(), reason="resident memory is read from /proc")
def test_peak_memory_is_of_this_timing_and_not_of_the_one_before() -> None:
    def holding(megabytes: int) -> float:
        def sample(n: int, generator: torch.Generator) -> Tensor:
            return torch.ones(megabytes * 2**18 if n > 1 else 1)

        result = time_sampling(sample, images=2, repeats=1)
        assert result.peak_memory_mb is not None
        if result.peak_memory_of != "resident memory of the process, since timing began":
            pytest.skip("this system does not let a process reset its high-water mark")
        return result.peak_memory_mb

    small = [torch.ones(2**14) for _ in range(6000)]
    del small[:-1]  # the last one keeps 375 MB of free heap resident, for the next to ask
    assert holding(300) - holding(1) > 240  # or twice that, where the allocator keeps what it got back for a moment


def test_a_high_water_mark_that_cannot_be_reset_is_called_the_process_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "PROC", tmp_path)
    (tmp_path / "status").write_text("VmHWM:\t  819200 kB\nVmRSS:\t  512000 kB\n")
    result = time_sampling(Sampler(1), images=1, repeats=1)
    assert (result.peak_memory_mb, result.peak_memory_of) == (
        800.0, "resident memory of the process, since the process began",
    )  # fmt: skip


def test_what_cannot_be_measured_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(timing, "PROC", tmp_path / "nowhere")
    result = time_sampling(Sampler(1), images=1, repeats=1)
    assert result.peak_memory_mb is None
    assert result.peak_memory_of == "not measured on this system"


def test_no_images_or_repeats_are_refused() -> None:
    with pytest.raises(EvaluationError, match="images=100 and repeats=0 must both be at least 1"):
        time_sampling(Sampler(1), repeats=0)


def test_hardware_is_the_same_twice() -> None:
    found = hardware()
    assert found == hardware("cpu")
    assert found["cpu"]
    assert found["gpu"] is None
    assert found["threads"] == torch.get_num_threads()
