"""The autoregressive model of pixels is what it says: one exact distribution, in its likelihood as in its samples."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from models.base import DataSpec, ImageShape
from models.losses import bits_per_dim
from models.pixel_ar import PixelAR


class Binary(PixelAR):
    LEVELS = 2


TINY: dict[str, Any] = {"dim": 8, "depth": 2, "heads": 2, "hidden": 8}
# images small enough to enumerate; in the last four, the patches reach beyond the image
DOMAINS = [
    ((1, 2, 2), 1), ((1, 2, 2), 2), ((2, 1, 2), 1), ((1, 1, 3), 1), ((1, 1, 3), 2), ((1, 3, 3), 2), ((2, 1, 3), 2),
    ((1, 2, 2), 3),
]  # fmt: skip
every_domain = pytest.mark.parametrize(("shape", "patch"), DOMAINS, ids=str)
CUTS = [((1, 7, 6), 1), ((1, 7, 6), 2), ((1, 8, 8), 4), ((3, 5, 4), 2), ((1, 5, 7), 4)]
every_cut = pytest.mark.parametrize(("shape", "patch"), CUTS, ids=str)


def shaken(shape: ImageShape, patch: int, kind: type[PixelAR] = PixelAR, deviation: float = 0.3) -> PixelAR:
    """A small model whose weights are large enough for the past to matter."""
    model = kind(DataSpec(shape), patch=patch, **TINY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(deviation * torch.randn_like(parameter))
    return model


def images(n: int, shape: ImageShape) -> Tensor:
    return torch.randint(0, 256, (n, *shape)) / 127.5 - 1


def all_binary(shape: ImageShape) -> Tensor:
    """Every image of the two levels, 2 ** (C H W) of them."""
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=math.prod(shape)))).view(-1, *shape)


@torch.no_grad()
def log_p_of_values(model: PixelAR, x: Tensor) -> Tensor:
    """log p of every value given those before it, N x positions x places, in the padding too; one full pass a value."""
    levels = model.levels(x)
    log_p = torch.zeros(levels.shape)
    for position, place in itertools.product(*map(range, levels.shape[1:])):
        known = torch.zeros_like(levels)  # nothing of what comes later
        known[:, :position], known[:, position, :place] = levels[:, :position], levels[:, position, :place]
        values = model.embed(known)
        logits = model.head(model.features(values)[:, position], values[:, position, :place])
        log_p[:, position, place] = logits.log_softmax(1).gather(1, levels[:, position, place, None])[:, 0]
    return log_p


@every_domain
@torch.no_grad()
def test_the_probabilities_of_all_images_sum_to_one(shape: ImageShape, patch: int) -> None:
    model = shaken(shape, patch, Binary, deviation=0.7)
    log_p = model.log_likelihood(all_binary(shape))
    assert log_p.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert log_p.std() > 0.1, "else the sum would show little"


@pytest.mark.parametrize(("shape", "patch"), [((1, 2, 2), 1), ((1, 2, 2), 2), ((1, 1, 3), 2)], ids=str)
def test_samples_are_as_frequent_as_they_are_probable(shape: ImageShape, patch: int) -> None:
    """Pearson's statistic of 20,000 draws stays below its 99.9% quantile."""
    model, domain, n = shaken(shape, patch, Binary), all_binary(shape), 20_000
    expected = n * model.log_likelihood(domain).detach().exp()
    drawn = model.sample(n, torch.Generator().manual_seed(0))
    counts = (drawn.flatten(1)[:, None] == domain.flatten(1)).all(2).sum(0)
    assert counts.sum() == n
    assert expected.min() > 5
    quantile = {4: 37.7, 3: 24.3}[math.prod(shape)]  # chi-square with 15 and 7 degrees of freedom
    assert ((counts - expected).square() / expected).sum() < quantile


@every_cut
def test_levels_of_patches_are_the_image_again(shape: ImageShape, patch: int) -> None:
    model, x = shaken(shape, patch), images(3, shape)
    levels = model.levels(x)
    assert torch.equal(model.images(levels), x)
    assert model.real.sum() == math.prod(shape)
    assert (levels * (1 - model.real) == 0).all(), "the padding is known"
    assert levels.shape[1] * (1 + levels.shape[2]) == model.passes()


def test_single_pixels_are_read_as_lines_of_text_are() -> None:
    model, x = shaken((3, 4, 5), 1), images(2, (3, 4, 5))
    assert torch.equal(model.levels(x), ((x + 1) * 127.5).round().long().permute(0, 2, 3, 1).reshape(2, 20, 3))


@every_cut
@torch.no_grad()
def test_a_value_is_not_felt_before_its_turn(shape: ImageShape, patch: int) -> None:
    """Changing one value changes the logits of later values alone, and does change the next pixel's."""
    model, x = shaken(shape, patch), images(1, shape)
    levels = model.levels(x)
    places = levels.shape[2]

    def logits(levels: Tensor) -> Tensor:
        values = model.embed(levels)
        h = model.features(values)
        return torch.stack([model.head(h, values[:, :, :place]) for place in range(places)], 2).flatten(1, 2)[0]

    before = logits(levels)
    for index in range(len(before)):
        changed = levels.flatten(1).clone()
        changed[0, index] = 255 - changed[0, index]
        difference = (logits(changed.view_as(levels)) - before).abs().amax(1)
        assert (difference[: index + 1] == 0).all()
        assert (difference[index + 1 :] > 0).all()


@every_cut
def test_the_likelihood_is_that_of_the_values_one_by_one(shape: ImageShape, patch: int) -> None:
    model, x = shaken(shape, patch), images(3, shape)
    (bound,) = model.bits_per_dim(x, torch.Generator())
    by_hand = -(log_p_of_values(model, x) * model.real).sum((1, 2)) / math.log(2) / math.prod(shape)
    assert bound.name == "exact"
    torch.testing.assert_close(bound.bits, by_hand)
    assert bound.bits.std() > 1e-3


@every_cut
def test_bits_are_those_of_the_distributions_that_were_drawn_from(shape: ImageShape, patch: int) -> None:
    """The logits that the head gave along the path of the cached sampler, at the levels that came out."""
    model, seen = shaken(shape, patch), []
    with model.head.register_forward_hook(lambda head, inputs, logits: seen.append(logits)):
        x = model.sample(4, torch.Generator().manual_seed(2))
    levels = model.levels(x)
    assert torch.equal(model.images(levels), x), "samples stand at 8-bit levels"
    log_p = torch.stack(seen, 1).log_softmax(2).gather(2, levels.flatten(1)[:, :, None])[..., 0]
    nats = -(log_p * model.real.flatten()).sum(1)
    torch.testing.assert_close(
        model.bits_per_dim(x, torch.Generator())[0].bits, bits_per_dim(nats, math.prod(shape)), rtol=1e-4, atol=1e-5
    )


@every_cut
@torch.no_grad()
def test_samples_are_ancestral_draws_by_the_same_uniform_numbers(shape: ImageShape, patch: int) -> None:
    """Without a cache: the whole sequence again for every value, whose level is where the cdf passes u."""
    model = shaken(shape, patch)
    u = torch.rand((*model.real.shape, 3), generator=torch.Generator().manual_seed(4))
    levels = torch.zeros(3, *model.real.shape, dtype=torch.int64)
    for position, place in model.real.nonzero().tolist():
        values = model.embed(levels)
        logits = model.head(model.features(values)[:, position], values[:, position, :place])
        cdf = logits.double().softmax(1).cumsum(1)
        levels[:, position, place] = torch.searchsorted(cdf, u[position, place, :, None].double(), right=True)[:, 0]
    assert torch.equal(model.sample(3, torch.Generator().manual_seed(4)), model.images(levels))


@every_cut
def test_without_knowledge_a_value_takes_eight_bits(shape: ImageShape, patch: int) -> None:
    model = shaken(shape, patch)
    for parameter in model.head.out.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(model.bits_per_dim(images(3, shape), torch.Generator())[0].bits, torch.full((3,), 8.0))


def test_the_loss_is_the_mean_of_the_nats_of_images() -> None:
    model, x = shaken((1, 7, 6), 4), images(5, (1, 7, 6))
    logged: dict[str, Any] = {}
    model.log_losses = logged.update  # type: ignore[method-assign]
    loss = model.training_step((x, torch.zeros(5)), 0)
    assert logged["loss"] is loss
    bits = model.bits_per_dim(x, torch.Generator())[0].bits.mean()
    torch.testing.assert_close(logged["bits_per_dim"], bits)
    torch.testing.assert_close(loss.detach(), bits * 42 * math.log(2))


@every_cut
def test_autocast_costs_digits_alone(shape: ImageShape, patch: int) -> None:
    model, x = shaken(shape, patch, deviation=0.1), images(4, shape)
    exact = model.bits_per_dim(x, torch.Generator())[0].bits
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.bits_per_dim(x, torch.Generator())[0].bits
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.01, atol=0)


def test_what_is_learned_by_heart_is_drawn_again(fit: Callable[..., L.Trainer]) -> None:
    """Two images, of which the first value decides: half a bit each over 4 x 3 pixels, and no third image."""
    model = PixelAR(DataSpec((1, 4, 3)), patch=2, learning_rate=0.01, warmup=5, **TINY | {"dim": 16, "hidden": 32})
    x = images(2, (1, 4, 3))
    fit(model, [(x, torch.zeros(2))] * 150)
    assert model.bits_per_dim(x, torch.Generator())[0].bits.mean() == pytest.approx(1 / 12, abs=0.05)
    drawn = model.sample(50, torch.Generator().manual_seed(0))
    copies = (drawn[:, None] == x).flatten(2).all(2).sum(0)
    assert copies.sum() >= 40
    assert copies.min() >= 10


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="dim=10 cannot be divided among heads=4"):
        PixelAR(DataSpec((1, 4, 4)), dim=10, heads=4)
