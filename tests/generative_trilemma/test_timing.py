"""`time_sampling` gives the figures of the table's rows, counts network passes and states the machine."""

import time

import pytest
import torch
from torch import Tensor, nn

import generative_trilemma as gt
from bench.evaluation import timing

NETWORK = nn.Identity()


def two_passes(n: int, generator: torch.Generator) -> Tensor:
    return NETWORK(NETWORK(torch.rand(n, 1, 2, 2, generator=generator)))


@pytest.fixture(autouse=True)
def not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SETTLED", 0.0)
    monkeypatch.setattr(timing, "SETTLED_ONE", 0.0)


def test_figures_are_in_the_units_of_their_columns_and_agree() -> None:
    measurement = gt.time_sampling(two_passes, images=8, repeats=3, networks=[NETWORK])
    figures = {key: figure.value for key, figure in measurement.figures.items()}
    assert figures["nfe"] == 2
    assert figures["images_per_second"] * figures["seconds_per_100"] == pytest.approx(100)
    assert (measurement.protocol["images"], measurement.protocol["repeats"]) == (8, 3)
    assert measurement.protocol["threads"] == torch.get_num_threads()
    assert measurement.figures["latency_ms"].direction == "lower"
    assert "3 calls of 8 images" in repr(measurement)


def test_latency_is_in_milliseconds_and_passes_are_left_out_without_networks() -> None:
    def slow(n: int, generator: torch.Generator) -> Tensor:
        time.sleep(0.01)
        return torch.zeros(n, 1, 2, 2)

    figures = gt.time_sampling(slow, images=2, repeats=1).figures
    assert figures["latency_ms"].value >= 10
    assert "nfe" not in figures


def test_a_number_below_one_is_an_input_error() -> None:
    with pytest.raises(gt.InputError, match="images=0 and repeats=3 must both be at least 1"):
        gt.time_sampling(two_passes, images=0)
