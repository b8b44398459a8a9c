"""The U-Net's blocks as the formulas in their docstrings, and the whole as a function of image and time."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.unet import ResidualBlock, SelfAttention, UNet

SIZES = [(29, 27), (28, 28), (5, 3), (1, 1)]
VARIANTS: dict[str, dict[str, Any]] = {
    "patch-1": {"patch": 1},
    "patch-2": {"patch": 2},
    "attention": {"patch": 2, "attention": True},
    "one-stage": {"patch": 1, "channels": [16]},
    "three-stages": {"patch": 2, "channels": [16, 16, 32], "blocks": 2},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def small(**changes: Any) -> UNet:
    settings: dict[str, Any] = {"channels": [16, 32], "blocks": 1, "patch": 2, "attention": False}
    return UNet(3, **(settings | changes)).eval()


def shaken(**changes: Any) -> UNet:
    """A U-Net whose layers that start at zero do not stay there."""
    return randomised(small(**changes))


def randomised(module: Any) -> Any:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@every_variant
@every_size
def test_it_starts_by_predicting_nothing(variant: dict[str, Any], size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size)
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            eps = small(**variant)(x, torch.tensor([1, 1000]))
        assert eps.dtype == torch.float32
        assert torch.equal(eps, torch.zeros_like(x))


@every_variant
@every_size
@torch.no_grad()
def test_images_do_not_see_each_other_and_have_their_own_times(variant: dict[str, Any], size: tuple[int, int]) -> None:
    unet, x, t = shaken(**variant), torch.randn(3, 3, *size), torch.tensor([1, 500, 1000])
    together = unet(x, t)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], unet(x[i : i + 1], t[i : i + 1]), rtol=1e-2, atol=1e-3)
    later = unet(x, torch.tensor([1, 900, 1000]))
    changed = (together - later).abs().flatten(1).amax(1)
    assert (changed > 1e-5).tolist() == [False, True, False]


@every_variant
@torch.no_grad()
def test_sizes_that_do_not_divide_are_padded_with_zeros_and_cropped(variant: dict[str, Any]) -> None:
    unet, x, t = shaken(**variant), torch.randn(2, 3, 13, 11), torch.tensor([3, 4])
    padded = F.pad(x, (0, -11 % unet.multiple, 0, -13 % unet.multiple))
    torch.testing.assert_close(unet(x, t), unet(padded, t)[..., :13, :11])


@pytest.mark.parametrize("patch", [1, 2, 4])
@every_size
def test_pixels_come_back_from_space_to_depth_in_their_places(patch: int, size: tuple[int, int]) -> None:
    """With the last convolution made to repeat what the first one was given, the output is the input."""
    unet, x, given = small(patch=patch), torch.randn(2, 3, *size), list[Tensor]()
    unet.stem.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    unet.out.register_forward_hook(lambda *_: given[0])
    assert torch.equal(unet(x, torch.tensor([1, 2])), x)


@every_variant
def test_every_output_depends_on_every_input(variant: dict[str, Any]) -> None:
    """Through the skips and the lowest stage; the odd last row and column are no exception."""
    unet = shaken(**variant)
    x = torch.randn(1, 3, 7, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(unet(x, torch.tensor([10])).square().sum(), x)
    assert (gradient != 0).all()


@every_variant
@torch.no_grad()
def test_bfloat16_is_close_to_float32(variant: dict[str, Any]) -> None:
    unet, x, t = shaken(**variant), torch.randn(2, 3, 9, 9), torch.tensor([7, 700])
    plain = unet(x, t)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = unet(x, t)
    assert mixed.dtype == torch.float32
    assert (mixed - plain).square().mean().sqrt() < 0.05 * plain.std()


@every_variant
def test_every_skip_is_used_and_every_parameter_takes_part(variant: dict[str, Any]) -> None:
    unet = shaken(**variant)
    unet(torch.randn(2, 3, 8, 8), torch.tensor([1, 9])).square().mean().backward()
    assert not [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


@torch.no_grad()
def test_residual_blocks_and_attention_start_as_the_identity() -> None:
    x, embedding = torch.randn(2, 16, 4, 6), torch.randn(2, 8)
    assert torch.equal(ResidualBlock(16, 16, 8)(x, embedding), x)
    assert torch.equal(SelfAttention(16)(x), x)
    widening = ResidualBlock(16, 24, 8)
    assert torch.equal(widening(x, embedding), widening.skip(x))


@pytest.mark.parametrize("outputs", [16, 24])
@torch.no_grad()
def test_a_residual_block_is_its_formula(outputs: int) -> None:
    block = randomised(ResidualBlock(16, outputs, 8))
    x, embedding = torch.randn(2, 16, 4, 6), torch.randn(2, 8)
    h = block.conv_1(F.silu(F.group_norm(x, 8, block.norm_1.weight, block.norm_1.bias)))
    h = F.group_norm(h, 8, block.norm_2.weight, block.norm_2.bias)
    modulation = embedding @ block.modulation.weight.T + block.modulation.bias
    scale, shift = modulation[:, :outputs, None, None], modulation[:, outputs:, None, None]
    expected = block.skip(x) + block.conv_2(F.silu(h * (1 + scale) + shift))
    torch.testing.assert_close(block(x, embedding), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "heads"), [(16, 1), (32, 1), (64, 2), (96, 3)])
@torch.no_grad()
def test_attention_is_the_softmax_of_scaled_products_in_heads_of_32(channels: int, heads: int) -> None:
    attention = randomised(SelfAttention(channels))
    n, height, width = 2, 3, 5
    x = torch.randn(n, channels, height, width)
    normed = F.group_norm(x, 8, attention.norm.weight, attention.norm.bias)
    qkv = attention.qkv(normed).flatten(2)
    size = channels // heads
    attended = torch.zeros(n, channels, height * width)
    for head in range(heads):
        query, key, value = (qkv[:, part * channels + head * size :][:, :size] for part in range(3))
        weights = torch.softmax(query.transpose(1, 2) @ key / math.sqrt(size), dim=2)  # of each pixel over all
        attended[:, head * size : (head + 1) * size] = value @ weights.transpose(1, 2)
    expected = x + attention.out(attended.view_as(x))
    torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_attention_knows_no_places() -> None:
    attention = randomised(SelfAttention(32))
    x, order = torch.randn(2, 32, 4, 4), torch.randperm(16)

    def shuffled(x: Tensor) -> Tensor:
        return x.flatten(2)[..., order].view_as(x)

    torch.testing.assert_close(attention(shuffled(x)), shuffled(attention(x)), rtol=1e-4, atol=1e-5)


def test_attention_is_there_when_asked_for_only() -> None:
    asked, left = small(attention=True), small()
    assert any(isinstance(module, SelfAttention) for module in asked.modules())
    assert not any(isinstance(module, SelfAttention) for module in left.modules())


def test_each_stage_but_the_last_halves_the_resolution() -> None:
    unet = small(channels=[16, 16, 16], patch=2)
    seen: list[tuple[int, int]] = []
    for module in unet.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[-2:])))
    unet(torch.randn(1, 3, 32, 24), torch.tensor([1]))
    assert seen[0] == seen[-1] == (16, 12)
    assert set(seen) == {(16, 12), (8, 6), (4, 3)}


@every_variant
@torch.no_grad()
def test_each_of_two_times_is_seen_by_its_own_image(variant: dict[str, Any]) -> None:
    unet, x = shaken(**variant, times=2), torch.randn(3, 3, 8, 8)
    times = torch.tensor([[1.0, 2.0], [3.0, 0.5], [9.0, 9.0]])
    expected = unet(x, times)
    for place in (0, 1):
        moved = times.clone()
        moved[1, place] += 5
        changed = (unet(x, moved) - expected).abs().flatten(1).amax(1)
        assert (changed > 1e-5).tolist() == [False, True, False]
    assert not torch.allclose(unet(x, times.flip(1))[:2], expected[:2])


@torch.no_grad()
def test_one_time_may_be_a_column() -> None:
    unet, x, t = shaken(), torch.randn(2, 3, 8, 8), torch.tensor([3.0, 4.0])
    assert torch.equal(unet(x, t), unet(x, t[:, None]))
