"""Images against closed forms and torchmetrics, bounds against enumerations, and refusals that name the ability."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from bench.evaluation.errors import EvaluationError
from bench.evaluation.tasks import image_tasks as abilities
from bench.evaluation.tasks.image_tasks import PSNR_CAP, bits, denoising, image_quality, reconstruction

Images = Callable[..., Tensor]


@dataclass
class Bound:
    name: str
    bits: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    levels: int = 256


def uniform(n: int, shape: tuple[int, int, int], seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *shape), generator=g, dtype=torch.uint8)


def grey(levels: list[int]) -> Tensor:
    """An image of one grey level for each of `levels`."""
    return torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 16, 16)


def test_an_offset_has_the_closed_forms_and_psnr_is_averaged_in_decibels() -> None:
    found = image_quality(grey([0, 100]), grey([51, 110]))  # offsets of 1/5 and 2/51
    first, second = (51 / 255) ** 2, (10 / 255) ** 2
    assert found["mse"] == pytest.approx((first + second) / 2, rel=1e-6)
    assert found["psnr"] == pytest.approx(-5 * math.log10(first) - 5 * math.log10(second), rel=1e-6)
    # constant images leave SSIM its luminance factor (2 a b + c) / (a^2 + b^2 + c), c = 0.01^2
    luminance = [(2 * a * b + 1e-4) / (a * a + b * b + 1e-4) for a, b in [(0, 0.2), (100 / 255, 110 / 255)]]
    assert found["ssim"] == pytest.approx(sum(luminance) / 2, abs=2e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 13, 11)])
def test_figures_are_torchmetrics_whatever_is_compared_at_once(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = uniform(9, shape, 0), uniform(9, shape, 1)
    b[5:] = a[5:] // 2 + 40
    x, y = a / 255, b / 255
    found = image_quality(a, b)
    each = [float(peak_signal_noise_ratio(p, q, data_range=1.0)) for p, q in zip(x, y, strict=True)]
    similarity = structural_similarity_index_measure(x, y, data_range=1.0)
    assert isinstance(similarity, Tensor)
    assert found["mse"] == pytest.approx(float((x - y).square().mean()), rel=1e-5)
    assert found["psnr"] == pytest.approx(sum(each) / 9, rel=1e-5)
    assert found["ssim"] == pytest.approx(float(similarity), abs=1e-5)
    monkeypatch.setattr(abilities, "QUALITY_CHUNK", 4)
    assert image_quality(a, b) == pytest.approx(found, rel=1e-6)


def test_equal_images_reach_the_bounds_and_no_image_passes_them() -> None:
    a = uniform(4, (1, 28, 28), 0)
    assert image_quality(a, a) == pytest.approx({"mse": 0, "psnr": PSNR_CAP, "ssim": 1}, abs=1e-6)
    assert pytest.approx(-10 * math.log10((0.5 / 255) ** 2), abs=1e-2) == PSNR_CAP
    b = a.clone()
    b[:, 0, 0, 0] ^= 1  # one pixel by one level
    assert image_quality(a, b)["psnr"] == pytest.approx(PSNR_CAP)


@pytest.mark.parametrize(("shape", "side"), [((1, 10, 28), 9), ((3, 7, 7), 7), ((1, 4, 5), 3), ((1, 3, 3), 3)])
def test_small_images_get_the_largest_odd_window_that_fits(shape: tuple[int, int, int], side: int) -> None:
    a, b = uniform(3, shape, 0), uniform(3, shape, 1)
    radius = side // 2
    offsets = torch.arange(-radius, radius + 1).double()
    line = torch.exp(-(offsets**2) / (2 * (0.3 * radius) ** 2))
    window = (torch.outer(line, line) / line.sum() ** 2).expand(shape[0], 1, side, side)

    def mean(z: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(z, (radius,) * 4, mode="reflect")
        return torch.nn.functional.conv2d(padded, window, groups=shape[0])

    x, y = a.double() / 255, b.double() / 255
    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    # Wang et al. 2004, Eq. 13
    ssim = (2 * mx * my + 1e-4) * (2 * covariance + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert image_quality(a, b)["ssim"] == pytest.approx(float(ssim.mean()), abs=3e-5)


def test_callables_are_given_exact_levels_without_gradients_in_full_float32() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    seen: list[Tensor] = []

    def reconstruct(x: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"  # type: ignore[attr-defined]
        seen.append(x)
        return x

    reconstruction(reconstruct, every, chunk=1)
    assert seen[0].flatten().tolist() == [float(torch.tensor(level) / 127.5 - 1) for level in range(256)]


def test_reconstructions_are_clipped_rounded_and_compared_in_order(images: Images) -> None:
    x = images(23, seed=0)
    calls: list[tuple[str, int, int]] = []
    identity = reconstruction(lambda x: x + 0.003, x, chunk=5, progress=lambda *args: calls.append(args))
    assert identity == image_quality(x, x)  # a third of a level is lost by rounding
    assert calls == [("reconstruct", done, 23) for done in (5, 10, 15, 20, 23)]
    dark = reconstruction(lambda x: x - 10, x, chunk=23)
    assert dark == image_quality(torch.zeros_like(x), x)


def gaussian(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    return x + level * torch.randn(x.shape, generator=generator)


def test_denoising_by_nothing_leaves_the_noisy_figures_and_a_level_of_zero_the_images(images: Images) -> None:
    rows = denoising(gaussian, lambda y: y, [0.0, 0.2, 0.6], images(20, seed=0), seed=3, chunk=8)
    assert [row["level"] for row in rows] == [0.0, 0.2, 0.6]
    for row in rows:
        assert (row["psnr"], row["ssim"]) == (row["psnr_noisy"], row["ssim_noisy"])
    assert rows[0]["psnr"] == pytest.approx(PSNR_CAP)
    assert rows[0]["psnr"] > rows[1]["psnr"] > rows[2]["psnr"]


def test_noise_has_its_closed_form_and_its_denoiser_sees_it_unclipped() -> None:
    middle = torch.full((40, 1, 28, 28), 128, dtype=torch.uint8)
    seen: list[Tensor] = []
    (row,) = denoising(gaussian, lambda y: seen.append(y) or y * 0, [0.2], middle, seed=0, chunk=10)
    # PSNR of noise of deviation 0.2 on [-1, 1], that is 0.1 on [0, 1], and nothing is clipped at 5 deviations
    assert row["psnr_noisy"] == pytest.approx(20, abs=0.1)
    assert row["psnr"] == pytest.approx(PSNR_CAP)  # 0 is rounded to 128
    (wide,) = denoising(gaussian, lambda y: seen.append(y) or y, [5.0], middle, seed=0, chunk=10)
    assert seen[-1].abs().max() > 10
    # almost every pixel is clipped to black or white, an error of one half
    assert wide["psnr_noisy"] == pytest.approx(-20 * math.log10(0.5), abs=0.7)


def test_noise_is_decided_by_seed_level_and_chunk(images: Images) -> None:
    def noises(seed: int, chunk: int) -> list[Tensor]:
        kept: list[Tensor] = []
        zero = torch.full((4, 1, 16, 16), 128, dtype=torch.uint8)
        denoising(gaussian, lambda y: kept.append(y) or y, [1.0, 1.0], zero, seed=seed, chunk=chunk)
        return kept

    first = noises(0, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, noises(0, 2), strict=True))
    distinct = {y.numpy().tobytes() for y in [*first, *noises(1, 2)]}
    assert len(distinct) == 8  # 2 seeds, 2 levels, 2 chunks


def test_bits_of_an_enumerated_distribution_are_its_cross_entropy() -> None:
    """Images of one pixel with p(level) known: bits = -log2 p, so the mean is the sum over levels."""
    levels = torch.tensor([0, 0, 0, 255, 255, 128], dtype=torch.uint8)
    p = {0: 0.5, 128: 0.25, 255: 0.125}

    def bound(x: Tensor, generator: torch.Generator) -> list[Bound]:
        exact = torch.tensor([-math.log2(p[round((v + 1) * 127.5)]) for v in x.flatten().tolist()])
        return [
            Bound("ELBO", exact + 0.5, {"reconstruction": exact, "KL": torch.full_like(exact, 0.5)}),
            Bound("exact", exact),
        ]

    found = bits(bound, levels.view(-1, 1, 1, 1), seed=0, chunk=4)
    values = [1.0, 1.0, 1.0, 3.0, 3.0, 2.0]
    mean = sum(values) / 6
    assert found["bound"] == "exact"
    assert found["bits_per_dim"] == pytest.approx(mean)
    assert found["bounds"] == pytest.approx({"ELBO": mean + 0.5, "exact": mean})
    assert found["terms"] == {"ELBO": pytest.approx({"reconstruction": mean, "KL": 0.5})}
    assert found["levels"] == 256
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 5)
    assert found["standard_error"] == pytest.approx(deviation / math.sqrt(6))


def test_draws_of_a_bound_repeat_and_differ_between_chunks(images: Images) -> None:
    def noisy(x: Tensor, generator: torch.Generator) -> list[Bound]:
        return [Bound("ELBO", torch.rand(len(x), generator=generator))]

    def measured(seed: int) -> dict[str, Any]:
        return bits(noisy, images(400, seed=0), seed=seed, chunk=200)

    assert measured(0) == measured(0) != measured(1)
    assert measured(0)["bits_per_dim"] == pytest.approx(0.5, abs=0.06)
    # the deviation of a uniform number is 1 / sqrt(12); equal draws in both chunks would not change it, so count them
    draws: list[Tensor] = []
    bits(lambda x, g: draws.append(torch.rand(2, generator=g)) or noisy(x, g), images(4, seed=0), seed=0, chunk=2)
    assert not torch.equal(*draws)


def mix(x: Tensor, generator: torch.Generator) -> list[Bound]:
    return [Bound("a", torch.ones(len(x))), Bound("b", torch.ones(len(x)), levels=2)]


def vary(x: Tensor, generator: torch.Generator) -> list[Bound]:
    return [Bound("ELBO" if len(x) == 2 else "exact", torch.ones(len(x)))]


@pytest.mark.parametrize(
    ("ability", "message"),
    [
        (lambda x: reconstruction(lambda y: y / 0, x, chunk=2), "^reconstruct returned NaN or infinity for 2 of 2 im"),
        (lambda x: reconstruction(lambda y: y[:1], x, chunk=2), r"^reconstruct returned .* shape \(1, 1, 28, 28\)"),
        (lambda x: reconstruction(lambda y: y.bfloat16(), x, chunk=2), "^reconstruct returned torch.bfloat16"),
        (lambda x: denoising(lambda y, s, g: y.sqrt(), lambda y: y, [1], x, seed=0, chunk=3), r"^denoise \(its corrup"),
        (lambda x: denoising(gaussian, lambda y: y.log(), [1], x, seed=0, chunk=3), "^denoise returned NaN"),
        (lambda x: denoising(gaussian, lambda y: y.flatten(1), [1], x, seed=0, chunk=3), "^denoise returned .*, 784"),
        (lambda x: bits(lambda y, g: [], x, seed=0, chunk=2), "^bits_per_dim did not return the same bounds"),
        (lambda x: bits(vary, x, seed=0, chunk=2), "^bits_per_dim did not return the same bounds"),
        (lambda x: bits(lambda y, g: [Bound("a", torch.ones(1))], x, seed=0, chunk=2), "^bits_per_dim returned"),
        (lambda x: bits(lambda y, g: [Bound("a", y.sum((1, 2, 3)) / 0)], x, seed=0, chunk=2), "NaN or infinity for 2"),
        (lambda x: bits(mix, x, seed=0, chunk=2), r"^bits_per_dim returned bounds of images of \[2, 256\] levels"),
        (lambda x: bits(vary, x[:1], seed=0, chunk=2), "^bits_per_dim needs at least two images"),
        (lambda x: image_quality(x, x[:2]), "cannot be compared"),
        (lambda x: image_quality(x[:, :, :2], x[:, :, :2]), "a side is under 3"),
        (lambda x: image_quality(x, x / 255), "must be uint8"),
    ],
)
def test_nothing_wrong_becomes_a_figure(ability: Callable[[Tensor], object], message: str, images: Images) -> None:
    with pytest.raises(EvaluationError, match=message) as refusal:
        ability(images(3, seed=0))
    assert "\n" not in str(refusal.value)
