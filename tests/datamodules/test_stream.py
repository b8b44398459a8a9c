"""Each batch is a pure function of (seed, number), whatever the ranks and wherever the stream was resumed."""

from itertools import islice

import pytest
import torch
from torch import Tensor

from datamodules.stream import BatchStream, fits, to_unit

COUNT = 23  # prime, so that batches straddle epochs in every way


def to_uint8(images: Tensor) -> Tensor:
    """Float in [-1, 1], any shape -> the nearest uint8 in 0 .. 255; the inverse of `to_unit`."""
    return images.add(1).mul_(127.5).round_().to(torch.uint8)


def stream(batch_size: int = 6, seed: int = 0, rank: int = 0, world_size: int = 1, batches: int = 12) -> BatchStream:
    """Image i has label i."""
    numbers = torch.arange(COUNT)
    images = numbers.to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).contiguous()
    cpu = torch.device("cpu")
    return BatchStream(
        images,
        numbers,
        batch_size=batch_size,
        batches=batches,
        seed=seed,
        device=cpu,
        rank=rank,
        world_size=world_size,
    )


def labels(batches: BatchStream) -> torch.Tensor:
    return torch.cat([batch_labels for _, batch_labels in batches])


def test_to_unit_and_to_uint8_are_inverse_on_all_256_values_and_within_range() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    unit = to_unit(values)
    assert torch.equal(to_uint8(unit), values)
    assert unit.dtype == torch.float32
    assert (unit.min().item(), unit.max().item()) == (-1.0, 1.0)
    assert torch.equal(unit, -unit.flip(0))
    torch.testing.assert_close(unit.double(), values.double() / 127.5 - 1, rtol=0, atol=1e-7)


def test_to_unit_leaves_its_input_alone() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    to_unit(values)
    assert torch.equal(values, torch.arange(256, dtype=torch.uint8))


def test_to_unit_copies_what_is_in_range_already() -> None:
    unit = to_unit(torch.arange(256, dtype=torch.uint8))
    again = to_unit(unit)
    assert torch.equal(again, unit)
    assert again.data_ptr() != unit.data_ptr()


def test_float_images_arrive_unscaled_and_a_batch_may_be_written_to() -> None:
    points = torch.linspace(-1, 1, 2 * COUNT).reshape(COUNT, 2, 1, 1)
    kept = points.clone()
    batches = BatchStream(points, torch.arange(COUNT), batch_size=COUNT, batches=2, seed=0, device=torch.device("cpu"))
    for images, numbers in batches:
        assert torch.equal(images, kept[numbers])
        images.zero_()
    assert torch.equal(points, kept)


def test_images_and_labels_stay_together() -> None:
    for images, numbers in stream():
        assert torch.equal(to_uint8(images), numbers.to(torch.uint8).reshape(-1, 1, 1, 1).expand_as(images))


def test_every_epoch_visits_every_image_once_in_a_new_order() -> None:
    epochs = labels(stream(batch_size=6, batches=COUNT)).split(COUNT)  # 6 whole epochs
    assert all(torch.equal(epoch.sort().values, torch.arange(COUNT)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == len(epochs)


def test_a_batch_may_hold_more_than_an_epoch() -> None:
    whole = labels(stream(batch_size=5 * COUNT, batches=1))
    assert torch.equal(whole, labels(stream(batch_size=COUNT, batches=5)))


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    assert torch.equal(labels(stream(batch_size=6, batches=10)), labels(stream(batch_size=4, batches=15)))


def test_same_seed_same_order_and_another_seed_another() -> None:
    assert torch.equal(labels(stream(seed=1)), labels(stream(seed=1)))
    assert not torch.equal(labels(stream(seed=1)), labels(stream(seed=2)))
    # Epoch 1 of seed 0 is not epoch 0 of seed 1, as it would be were the two added.
    assert not torch.equal(labels(stream(seed=0, batches=8))[COUNT : 2 * COUNT], labels(stream(seed=1))[:COUNT])


def test_batches_can_be_asked_for_in_any_order() -> None:
    straight = [numbers for _, numbers in stream()]
    backwards = stream()
    assert all(torch.equal(backwards.batch(k)[1], straight[k]) for k in reversed(range(12)))


def test_ranks_joined_in_order_are_the_single_process() -> None:
    ranks = [stream(rank=rank, world_size=3) for rank in range(3)]
    for whole, *shares in zip(stream(), *ranks, strict=True):
        assert torch.equal(torch.cat([images for images, _ in shares]), whole[0])
        assert torch.equal(torch.cat([numbers for _, numbers in shares]), whole[1])


def test_resumed_at_any_batch_the_rest_is_the_same_and_the_length_stays() -> None:
    whole = [numbers for _, numbers in stream()]
    for consumed in range(13):
        seen = [numbers for _, numbers in islice(stream(), consumed)]
        resumed = stream()
        resumed.load_state_dict({"consumed": consumed})
        rest = [numbers for _, numbers in resumed]
        assert torch.equal(torch.cat(seen + rest), torch.cat(whole))
        assert len(resumed) == 12


def test_a_batch_counts_as_consumed_once_it_is_handed_out() -> None:
    batches = stream()
    iterator = iter(batches)
    assert batches.state_dict() == {"consumed": 0}
    next(iterator)
    assert batches.state_dict() == {"consumed": 1}


def test_a_spent_stream_yields_nothing_more() -> None:
    spent = stream()
    assert len(list(spent)) == 12
    assert list(spent) == []


def test_images_that_do_not_fit_on_the_device_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    images, numbers = torch.zeros(COUNT, 1, 2, 2, dtype=torch.uint8), torch.arange(COUNT)
    for room in (True, False):
        monkeypatch.setattr("datamodules.stream.fits", lambda images, device, room=room: room)
        found = BatchStream(images, numbers, batch_size=6, batches=2, seed=0, device=torch.device("meta"))
        assert found.images.device.type == ("meta" if room else "cpu")
    batch, labels_of_batch = found.batch(0)
    assert (batch.device.type, batch.dtype, labels_of_batch.device.type) == ("meta", torch.float32, "meta")
    assert torch.equal(found.images, images)
    monkeypatch.undo()
    assert fits(images, torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * images.numel(), 10**12))
    assert fits(images, torch.device("cuda"))
    assert not fits(torch.cat([images, images[:1]]), torch.device("cuda"))
