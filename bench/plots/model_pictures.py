"""Draw what a trained model does, chosen by its abilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from bench.evaluation.keys import seeded
from bench.evaluation.samples import quantise
from bench.plots.captions import CAPTIONS, HELD_OUT, STEPS
from bench.plots.image_grid import Sheet, codebook_bars, in_rows, plane_and_scatter, save
from datamodules.stream import to_unit
from models.base import GenerativeModel
from models.protocols import Decodes, Denoises, Diffuses, Quantises, Reconstructs, SamplesGiven

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 250  # of them in a batch


@dataclass(frozen=True)
class HeldOut:
    """Held-out images x, N x C x H x W, as a model takes them and on its device.

    sampler: settings of the sampler that represents the model.
    """

    x: Tensor
    labels: Tensor | None  # N
    seed: int
    sampler: Mapping[str, Any] = field(default_factory=dict)

    def generator(self) -> torch.Generator:
        """Return a new generator for each picture, so that no picture depends on which others are drawn."""
        return seeded(self.x.device, "pictures", self.seed)


def to_uint8(x: Tensor) -> Tensor:
    """Convert images or noisy images, any leading dimensions x C x H x W, to uint8 on the CPU; clip to [-1, 1]."""
    return quantise(x.float().flatten(0, -4).cpu()).unflatten(0, x.shape[:-3])


def encodings(model: Decodes, held_out: HeldOut) -> Tensor:
    """Encode all held-out images: N x latent_dim."""
    return torch.cat([model.encode(x).float() for x in held_out.x.split(BATCH)])


def decoded(model: Decodes, z: Tensor) -> Tensor:
    """Decode latents R x K x latent_dim -> uint8 R x K x C x H x W."""
    return to_uint8(torch.cat([model.decode(part) for part in z.flatten(0, 1).split(BATCH)]).unflatten(0, z.shape[:2]))


def reconstructions(model: Reconstructs, held_out: HeldOut) -> Sheet:
    """Draw four pairs of rows of eight images: the originals above their reconstructions."""
    x = held_out.x[:32]
    pairs = torch.stack([in_rows(to_uint8(images), 8) for images in (x, model.reconstruct(x))], 1)
    return Sheet(pairs.flatten(0, 1), row_breaks=range(2, 2 * len(pairs), 2), scale=2)


def latent_plane(model: Decodes, held_out: HeldOut) -> Figure | None:
    """Draw Figure 4 of Kingma and Welling 2014 (arXiv:1312.6114), by quantiles of held-out images; None if not 2-D."""
    if model.latent_dim != 2:
        return None
    z = encodings(model, held_out)
    levels = torch.linspace(0.01, 0.99, 20, device=z.device)
    z_1, z_2 = torch.quantile(z, levels, dim=0).T
    # rows from the top of the picture, where z_2 is greatest
    cells = decoded(model, torch.cartesian_prod(z_2.flip(0), z_1).flip(1).unflatten(0, (20, 20)))
    return plane_and_scatter(cells, z_1.cpu(), z_2.cpu(), z.cpu(), held_out.labels)


def traversals(model: Decodes, held_out: HeldOut) -> Sheet:
    """Draw one image's latents, one of them at a time replaced by values around its mean."""
    z = encodings(model, held_out)
    deviation, mean = torch.std_mean(z, 0, correction=0)
    dimensions = deviation.argsort(descending=True, stable=True)[:10].tolist()
    steps = torch.linspace(-3, 3, 9, device=z.device)
    walks = z[0].expand(len(dimensions), 9, -1).clone()
    for row, k in enumerate(dimensions):
        walks[row, :, k] = mean[k] + steps * deviation[k]
    signed = [f"{step:+g} σ".replace("-", "−") if step else "mean" for step in steps.tolist()]
    return Sheet(decoded(model, walks), [f"z{subscript(k + 1)}" for k in dimensions], signed)


def subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def interpolations(model: Decodes, held_out: HeldOut) -> Sheet | None:
    """Draw straight lines between encodings, the images themselves at the ends; None for less than two images."""
    x = held_out.x[:12]
    a, b = x[: len(x) // 2 * 2].unflatten(0, (-1, 2)).unbind(1)
    if not len(a):
        return None
    z_a, z_b = (model.encode(end).float()[:, None] for end in (a, b))
    between = decoded(model, torch.lerp(z_a, z_b, torch.linspace(0, 1, 9, device=x.device)[:, None]))
    cells = torch.cat([to_uint8(a)[:, None], between, to_uint8(b)[:, None]], 1)
    fractions = ["0", "⅛", "¼", "⅜", "½", "⅝", "¾", "⅞", "1"]
    return Sheet(cells, columns=["image", *fractions, "image"], column_breaks=(1, 10))


def evenly(last: int, count: int) -> list[int]:
    """Return `count` whole numbers from 0 to `last`, or all of them if there are fewer."""
    return sorted({round(last * i / (count - 1)) for i in range(count)})


def end_time(model: Diffuses, held_out: HeldOut) -> int:
    """Return T, the model's number of diffusion steps."""
    return next(iter(model.trajectory(1, held_out.generator(), 1)))[0]


def forward_chain(model: Diffuses, held_out: HeldOut) -> Sheet:
    """Draw four images at nine times of the forward process."""
    times = evenly(end_time(model, held_out), 9)
    chain = model.forward_chain(held_out.x[:4], times, held_out.generator())
    return Sheet(to_uint8(chain.transpose(0, 1)), columns=[f"t = {t}" for t in times])


def film_strip(model: Diffuses, held_out: HeldOut) -> Sheet:
    """Draw six samples at ten times of the reverse process."""
    steps = min(STEPS, end_time(model, held_out))
    chosen_steps = evenly(steps, 10)
    path = enumerate(model.trajectory(6, held_out.generator(), steps))
    frames = [(t, to_uint8(x)) for step, (t, x) in path if step in chosen_steps]
    return Sheet(torch.stack([x for _, x in frames], 1), columns=[f"t = {t}" for t, _ in frames])


def denoising(model: Denoises, held_out: HeldOut) -> Sheet:
    """Draw eight images, and two rows a noise level beneath them, with the same noise at all levels."""
    x = held_out.x[:8]
    rows, labels = [x], ["clean"]
    for level in model.noise_levels:
        noisy = model.corrupt(x, level, held_out.generator())
        rows += [noisy, model.denoise(noisy)]
        labels += [f"noise {level:.2g}", "denoised"]
    return Sheet(to_uint8(torch.stack(rows)), labels, row_breaks=range(1, len(rows), 2))


def by_label(model: SamplesGiven, held_out: HeldOut) -> Sheet | None:
    """Draw six samples of each label, of ten labels at most, a column each; None for a model that takes none."""
    if not model.classes:
        return None
    shown = torch.tensor(evenly(model.classes - 1, 10), device=held_out.x.device)
    samples = model.sample_given(shown.repeat(6), held_out.generator(), **held_out.sampler)
    return Sheet(to_uint8(samples.unflatten(0, (6, len(shown)))), columns=[str(int(label)) for label in shown])


def codebook_usage(model: Quantises, held_out: HeldOut) -> Figure:
    """Draw how often each code is chosen by the places of held-out images."""
    codes = torch.cat([model.codes(x).flatten().cpu() for x in held_out.x.split(BATCH)])
    return codebook_bars(torch.bincount(codes, minlength=model.codebook_size))


class Picture(NamedTuple):
    """One picture: its ability, how it is drawn (None: not of this model), and its caption.

    unconditional: whether it tells the model nothing, so that a model of labels or clusters has no such picture.
    """

    name: str
    ability: type
    draw: Callable[[Any, HeldOut], Sheet | Figure | None]
    unconditional: bool = False

    @property
    def caption(self) -> str:
        return CAPTIONS[self.name]


PICTURES = [
    Picture("by-label", SamplesGiven, by_label),
    Picture("reconstructions", Reconstructs, reconstructions, unconditional=True),
    Picture("latent-plane", Decodes, latent_plane, unconditional=True),
    Picture("traversals", Decodes, traversals, unconditional=True),
    Picture("interpolations", Decodes, interpolations, unconditional=True),
    Picture("forward-chain", Diffuses, forward_chain),
    Picture("film-strip", Diffuses, film_strip),
    Picture("denoising", Denoises, denoising),
    Picture("codebook-usage", Quantises, codebook_usage),
]


def draw(
    model: GenerativeModel,
    images: Tensor,
    labels: Tensor | None,
    folder: Path,
    *,
    seed: int,
    sampler: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Draw every picture that the model has the abilities for, as folder/NAME.png; return the paths by name.

    images: uint8 held-out images, N x C x H x W with N >= 1, of which the first ones are used. labels: N, or None.
    sampler: settings of the sampler that represents the model.
    Everything is computed in float32 on the model's device; equal seeds give equal files.
    """
    device = model.device
    files: dict[str, Path] = {}
    labels = None if labels is None else labels[:HELD_OUT]
    held_out = HeldOut(to_unit(images[:HELD_OUT]).to(device), labels, seed, sampler or {})
    with torch.autocast(device.type, enabled=False):
        for name, ability, function, unconditional in PICTURES:
            fits = isinstance(model, ability) and not (unconditional and model.groups)
            picture = function(model, held_out) if fits else None
            if picture is not None:
                files[name] = folder / f"{name}.png"
                save(picture, files[name])
    return files


def save_grid(images: Tensor, target: Path, columns: int = 8) -> None:
    """uint8 N x C x H x W -> one PNG, row by row, with a pixel of white between images."""
    save(Sheet(in_rows(images, columns)), target)
