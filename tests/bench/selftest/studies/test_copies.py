"""Alarms are raised for planted copies and not for samples of the data, on distances drawn in place of images."""

import numpy as np
import torch

from bench.selftest.studies import copies as study
from bench.selftest.studies.copies import KINDS, Pool, alarms, false_alarms, grid, rates, shift

CELLS = 5


def pool(n: int, seed: int, scale: float = 1.0) -> Pool:
    random = np.random.RandomState(seed)
    cells = [torch.from_numpy(random.randint(CELLS, size=n)) for _ in range(2)]
    distances = [torch.from_numpy(scale * random.gamma(8, size=n)).float() for _ in range(2)]
    return Pool(distances[0], cells[0], distances[1], cells[1], torch.zeros(n, dtype=torch.bool))


def test_copies_raise_every_alarm_and_samples_of_the_data_none() -> None:
    held_out, clean, copied = pool(4000, 0), pool(2000, 1), pool(2000, 2, scale=0.0)
    copied.exact[:] = True
    assert not any(alarms(clean, held_out, 2000).values())
    assert all(alarms(copied, held_out, 2000).values())


def test_a_pool_is_indexed_and_joined_in_every_measurement() -> None:
    whole = pool(10, 0)
    again = whole[torch.arange(4)] + whole[torch.arange(4, 10)]
    assert all(torch.equal(getattr(whole, name), getattr(again, name)) for name in whole.__dataclass_fields__)


def test_rates_are_shares_of_the_evaluations() -> None:
    draws = iter([True, False, False, True])
    assert rates(lambda random: {"now": next(draws)}, 4, "a test") == {"now": 0.5}


def test_kinds_of_copies_change_what_they_say() -> None:
    images = torch.randint(256, (3, 1, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(KINDS["exact"](images), images)
    moved = shift(images, 2)
    assert torch.equal(moved[..., 2:, 2:], images[..., :-2, :-2])
    assert not moved[..., :2, :].any()
    assert not moved[..., :2].any()
    assert (KINDS["brightness × 0.7"](images) - 0.7 * images).abs().max() <= 0.5 + 1e-4


def test_every_share_has_a_column_and_every_kind_its_lines() -> None:
    named = {"features alone, before": 0.1, "aligned pixels": 0.2, "now": 1.0}
    title, lines = grid({"exact": dict.fromkeys(study.SHARES, named)}, "real digits")
    assert "real digits" in title
    assert [len(line) for line in lines] == [2 + len(study.SHARES)] * 4
    assert lines[-1][2:] == ["1.00"] * len(study.SHARES)
    assert false_alarms({study.REAL: {"now": 0.01}})[1] == [["samples", "now"], [study.REAL, "0.01000"]]
