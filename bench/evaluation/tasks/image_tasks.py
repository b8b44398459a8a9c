"""Measure reconstruction, likelihood and denoising. The functions see callables, never the models behind them.

Images are uint8 N x C x H x W. Callables are given float32 in [-1, 1] on `device`, level / 127.5 - 1 exactly, `chunk`
images a call, without gradients and in full float32. Each chunk has a generator of its own, so the figures depend on
the chunk size. An output that is not finite or of another type or shape is an EvaluationError.
torchmetrics is imported only when it is used: it takes seconds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Progress, check_images, full_float32
from bench.evaluation.keys import seeded
from bench.evaluation.samples import quantise

PSNR_CAP = 54.15  # dB, 20 log10(255 / 0.5): an error of half a grey level everywhere, as rounding to 8 bits may leave
SSIM_RADIUS = 5  # of the Gaussian window in pixels, with a deviation of 1.5: 11 x 11, Wang et al. 2004
QUALITY_CHUNK = 50  # images compared at once: larger blocks are slowed by page faults


class Bound(Protocol):
    """As `models.protocols.Bound`: upper bounds on -log2 p(x) / (C H W), N values each, of images of some levels."""

    @property
    def name(self) -> str: ...
    @property
    def bits(self) -> Tensor: ...
    @property
    def terms(self) -> Mapping[str, Tensor]: ...
    @property
    def levels(self) -> int: ...


@full_float32()
def image_quality(produced: Tensor, originals: Tensor) -> dict[str, float]:
    """Compute {"mse", "psnr", "ssim"} of two uint8 N x C x H x W, means over images; mse on the [0, 1] scale.

    psnr: of each image, in dB, at most `PSNR_CAP` (an equal image would be infinitely good), then the mean.
    ssim: Wang et al. 2004, by torchmetrics, in a Gaussian window of 11 x 11 pixels. Images with a shorter side get the
    largest odd window that fits, its deviation smaller in proportion; a side below 3 is an EvaluationError.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    check_images(produced)
    check_images(originals)
    if produced.shape != originals.shape:
        raise EvaluationError(
            f"images of shape {tuple(produced.shape)} cannot be compared with {tuple(originals.shape)}."
        )
    radius = min(SSIM_RADIUS, (min(originals.shape[2:]) - 1) // 2)
    if radius == 0:
        raise EvaluationError(
            f"images of {tuple(originals.shape[2:])} pixels are too small for SSIM: a side is under 3."
        )
    rows = []
    for a, b in zip(produced.split(QUALITY_CHUNK), originals.split(QUALITY_CHUNK), strict=True):
        x, y = a.cpu().float() / 255, b.cpu().float() / 255
        mse = (x - y).square().flatten(1).mean(1)
        psnr = peak_signal_noise_ratio(x, y, data_range=1.0, dim=(1, 2, 3), reduction="none").double()
        # torchmetrics derives the window's side from the deviation: 2 int(3.5 sigma + 0.5) + 1 = 2 radius + 1
        sigma = 1.5 * radius / SSIM_RADIUS
        ssim = structural_similarity_index_measure(x, y, sigma=sigma, data_range=1.0, reduction="none")
        assert isinstance(ssim, Tensor)  # and not the pair that other arguments ask for
        rows.append(torch.stack([mse.double(), psnr.clamp(max=PSNR_CAP), ssim.double()], dim=1))
    means = torch.cat(rows).mean(0)
    return dict(zip(("mse", "psnr", "ssim"), means.tolist(), strict=True))


@torch.no_grad()
@full_float32()
def reconstruction(
    reconstruct: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    chunk: int,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> dict[str, float]:
    """Compute `image_quality` of `reconstruct(x)`, 8-bit as when saved, against the images themselves."""
    outputs = []
    for _, x in chunks(images, chunk, device, "reconstruct", progress):
        outputs.append(quantise(check_output("reconstruct", reconstruct(x), x.shape)))
    return image_quality(torch.cat(outputs), images)


@torch.no_grad()
@full_float32()
def denoising(
    corrupt: Callable[[Tensor, float, torch.Generator], Tensor],
    denoise: Callable[[Tensor], Tensor],
    levels: Sequence[float],
    images: Tensor,
    *,
    seed: int,
    chunk: int,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Compute {"level", "psnr_noisy", "ssim_noisy", "psnr", "ssim"} of noisy and of denoised images, for each level.

    `denoise` is given the output of `corrupt(x, level, generator)`, whatever its range. For their own figures, noisy
    images are clipped to [-1, 1] and 8-bit, as the denoised ones are.
    """
    rows = []
    for i, level in enumerate(levels):
        noisy, clean = [], []
        for k, x in chunks(images, chunk, device, f"denoise {level:g}", progress):
            y = corrupt(x, level, seeded(device, "corruption", seed, i, k))
            noisy.append(quantise(check_output("denoise (its corruption)", y, x.shape)))
            clean.append(quantise(check_output("denoise", denoise(y), x.shape)))
        before, after = (image_quality(torch.cat(parts), images) for parts in (noisy, clean))
        row = {"level": level, "psnr_noisy": before["psnr"], "ssim_noisy": before["ssim"]}
        rows.append(row | {"psnr": after["psnr"], "ssim": after["ssim"]})
    return rows


@torch.no_grad()
@full_float32()
def bits(
    bound: Callable[[Tensor, torch.Generator], Sequence[Bound]],
    images: Tensor,
    *,
    seed: int,
    chunk: int,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute upper bounds on the bits per dimension of the images, from `bound(x, generator)`, the tightest last.

    {"bound": the last one's name, "bits_per_dim": its mean over images, "standard_error": of that mean,
    "bounds": {name: mean}, "terms": {name: {term: mean}} of the bounds that have terms, "levels": of a value}. At least
    two images.
    """
    levels: set[int] = set()
    parts: dict[tuple[str, str | None], list[Tensor]] = defaultdict(list)  # by (bound, term); None: the bound itself
    for k, x in chunks(images, chunk, device, "bits_per_dim", progress):
        for estimate in bound(x, seeded(device, "likelihood", seed, k)):
            levels.add(estimate.levels)
            parts[estimate.name, None].append(check_output("bits_per_dim", estimate.bits, (len(x),)))
            for term, share in estimate.terms.items():
                parts[estimate.name, term].append(check_output("bits_per_dim", share, (len(x),)))
    series = {key: torch.cat(values).double() for key, values in parts.items()}
    if not series or any(len(values) != len(images) for values in series.values()):
        raise EvaluationError("bits_per_dim did not return the same bounds and terms, at least one, for every chunk.")
    if len(levels) > 1:
        raise EvaluationError(
            f"bits_per_dim returned bounds of images of {sorted(levels)} levels, which do not compare."
        )
    if len(images) < 2:
        raise EvaluationError("bits_per_dim needs at least two images for its standard error.")
    means = {key: float(values.mean()) for key, values in series.items()}
    bounds = {name: mean for (name, term), mean in means.items() if term is None}
    terms: dict[str, dict[str, float]] = defaultdict(dict)
    for (name, part), mean in means.items():
        if part is not None:
            terms[name][part] = mean
    last = list(bounds)[-1]
    error = float(series[last, None].std()) / len(images) ** 0.5
    return {
        "bound": last, "bits_per_dim": bounds[last], "standard_error": error, "bounds": bounds, "terms": dict(terms),
        "levels": levels.pop(),
    }  # fmt: skip


def chunks(
    images: Tensor, chunk: int, device: torch.device | str, stage: str, progress: Progress | None
) -> Iterator[tuple[int, Tensor]]:
    """Yield (k, chunk k of the images as callables take it); call `progress` when the caller is done with each."""
    check_images(images)
    parts = images.split(chunk)
    for k, part in enumerate(parts):
        # on the CPU, because CUDA multiplies by 1 / 127.5, which is not the same number
        yield k, (part.cpu().to(torch.float32) / 127.5 - 1).to(device)
        if progress:
            progress(stage, min((k + 1) * chunk, len(images)), len(images))


def check_output(ability: str, output: Tensor, shape: Sequence[int]) -> Tensor:
    """Return `output` as float32 on the CPU; EvaluationError unless it is float32 or float64, of `shape` and finite."""
    if output.dtype not in (torch.float32, torch.float64) or tuple(output.shape) != tuple(shape) or 0 in shape:
        actual = f"{output.dtype} of shape {tuple(output.shape)}"
        raise EvaluationError(f"{ability} returned {actual}, which is not float32 of shape {tuple(shape)}.")
    if bad := int((~output.isfinite()).reshape(len(output), -1).any(1).sum()):
        raise EvaluationError(f"{ability} returned NaN or infinity for {bad} of {len(output)} images.")
    return output.cpu().float()
