"""Draw grids of images, as plain pixels where nothing is labelled, and plots; write them as PNG files."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.runtime.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure  # slow to import, and needed last

DPI = 128  # a power of two, so that pixels / DPI is an exact size in inches
CELL = 80  # pixels of the file that a labelled image is enlarged to, at least, so that its label finds room above it
BREAK = 3  # pixels of the images, by which some gaps are wider than the one pixel between all
TEXT = "#222222"
POINTS = 9
PLANE = 720  # pixels of the file, at most, of a latent plane's longer side


@dataclass(frozen=True)
class Sheet:
    """Images in rows and columns, with a white gap of one pixel between them.

    cells: uint8, R x K x C x H x W with C = 1 or 3. rows, columns: labels to the left and on top, one each or none at
    all. row_breaks, column_breaks: the rows and columns with a wider gap before them. scale: side, in pixels of the
    file, of an unlabelled sheet's pixels; a labelled sheet's follows from `CELL`.
    """

    cells: Tensor
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    row_breaks: Collection[int] = ()
    column_breaks: Collection[int] = ()
    scale: int = 1


def in_rows(images: Tensor, columns: int) -> Tensor:
    """N x C x H x W -> R x columns x C x H x W, row by row, the last row filled up with white images."""
    missing = -len(images) % columns
    return torch.cat([images, images.new_full((missing, *images.shape[1:]), 255)]).unflatten(0, (-1, columns))


def starts(count: int, size: int, breaks: Collection[int]) -> list[int]:
    """Return the first pixel of each of `count` images of `size` pixels along one direction, and of one more."""
    return [1 + i * (size + 1) + BREAK * sum(b <= i for b in breaks) for i in range(count + 1)]


def pixels(sheet: Sheet) -> np.ndarray:
    """Return the sheet without labels or enlargement: uint8, height x width, and x 3 for colours."""
    R, K, C, H, W = sheet.cells.shape
    tops, lefts = starts(R, H, sheet.row_breaks), starts(K, W, sheet.column_breaks)
    canvas = torch.full((C, tops[-1], lefts[-1]), 255, dtype=torch.uint8)
    for r, top in enumerate(tops[:-1]):
        for k, left in enumerate(lefts[:-1]):
            canvas[:, top : top + H, left : left + W] = sheet.cells[r, k]
    return canvas.permute(1, 2, 0).squeeze(2).numpy()


def enlarge(canvas: np.ndarray, scale: int) -> np.ndarray:
    """Draw every pixel as a square of scale x scale pixels."""
    return canvas.repeat(scale, 0).repeat(scale, 1)


def coloured(canvas: np.ndarray) -> np.ndarray:
    """Repeat grey as three equal colours: matplotlib's grey colour map would shift some levels by one."""
    return np.asarray(Image.fromarray(canvas).convert("RGB"))


def labelled(sheet: Sheet) -> Figure:
    """Draw the sheet enlarged pixel by pixel, with its labels around it."""
    from matplotlib.figure import Figure

    R, K, _, H, W = sheet.cells.shape
    scale = -(-CELL // W)
    canvas = enlarge(pixels(sheet), scale)
    em = POINTS * DPI / 72  # the text's size in pixels
    left = round(em * (1 + 0.62 * max(map(len, sheet.rows)))) if sheet.rows else round(em / 2)
    top = round(2 * em) if sheet.columns else round(em / 2)
    margin = round(em / 2)
    width, height = left + canvas.shape[1] + margin, top + canvas.shape[0] + margin
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    # not `imshow`, which resamples: these are the file's own pixels
    figure.figimage(coloured(canvas), left, margin, origin="upper")
    for label, start in zip(sheet.rows, starts(R, H, sheet.row_breaks), strict=False):
        y = 1 - (top + scale * (start + H / 2)) / height
        figure.text((left - em / 3) / width, y, label, ha="right", va="center_baseline", size=POINTS, color=TEXT)
    for label, start in zip(sheet.columns, starts(K, W, sheet.column_breaks), strict=False):
        x = (left + scale * (start + W / 2)) / width
        figure.text(x, 1 - (top - em / 3) / height, label, ha="center", va="baseline", size=POINTS, color=TEXT)
    return figure


def plane_and_scatter(cells: Tensor, z_1: Tensor, z_2: Tensor, z: Tensor, labels: Tensor | None) -> Figure:
    """Draw images decoded on a plane, K x K x C x H x W, beside the encodings z of held-out images.

    z_1 rises to the right and z_2 upwards. z_1, z_2: coordinates of the columns and of the rows, rising. z: N x 2.
    labels: N, which colour the encodings.
    """
    from matplotlib.figure import Figure

    K, _, C, H, W = cells.shape
    # without gaps, so that the plane is seen as one
    canvas = cells.permute(0, 3, 1, 4, 2).reshape(K * H, K * W, C).squeeze(2).numpy()
    factor = PLANE / max(canvas.shape)
    if factor >= 1:
        canvas = enlarge(canvas, int(factor))
    height, width = (round(side * min(1, factor)) for side in canvas.shape[:2])
    em = POINTS * DPI / 72
    lower, left, between, right, upper = (round(em * share) for share in (3.5, 4, 5, 4, 2))
    whole_width, whole_height = left + 2 * width + between + right, lower + height + upper
    figure = Figure(figsize=(whole_width / DPI, whole_height / DPI), dpi=DPI, facecolor="white")
    panels = [
        figure.add_axes((x / whole_width, lower / whole_height, width / whole_width, height / whole_height))
        for x in (left, left + width + between)
    ]
    kernel = "nearest" if factor >= 1 else "hanning"  # pixels are kept, unless there are too many
    panels[0].imshow(coloured(canvas), interpolation=kernel, aspect="auto", extent=(0, K, 0, K))
    marked = [round(part * (K - 1)) for part in (0, 0.25, 0.5, 0.75, 1)]
    across, up = ([f"{z_k[i]:.2g}".replace("-", "−") for i in marked] for z_k in (z_1, z_2))
    panels[0].set_xticks([i + 0.5 for i in marked], across)
    panels[0].set_yticks([i + 0.5 for i in marked], up)
    scatter(panels[1], z, labels)
    for panel in panels:
        panel.set_xlabel("Z1", size=POINTS, color=TEXT)
        panel.set_ylabel("Z2", size=POINTS, color=TEXT, rotation=0, ha="right", va="bottom")
        panel.yaxis.set_label_coords(-0.015, 1.005)
        panel.tick_params(labelsize=POINTS - 1, labelcolor=TEXT, color="#999999")
        panel.spines[:].set_visible(False)
    return figure


def scatter(axes: Axes, z: Tensor, labels: Tensor | None) -> None:
    """Draw points z, N x 2, coloured by label, with a legend for two to ten labels."""
    from matplotlib import colormaps

    classes = [] if labels is None else labels.unique().tolist()
    palette = colormaps["tab10" if len(classes) <= 10 else "turbo"].resampled(max(10, len(classes)))
    groups = [(str(label), z[labels == label]) for label in classes] if labels is not None else [("", z)]
    for number, (label, points) in enumerate(groups):
        axes.scatter(
            points[:, 0].numpy(), points[:, 1].numpy(), s=7, color=palette(number), alpha=0.8, linewidths=0, label=label
        )
    if 2 <= len(classes) <= 10:
        axes.legend(
            loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=POINTS, labelcolor=TEXT,
            markerscale=2, handletextpad=0, borderaxespad=0.2,
        )  # fmt: skip


def perplexity(counts: Tensor) -> float:
    """Return exp of the entropy of N >= 1 counts: N if all are equal, 1 if one has all."""
    p = counts.double() / counts.sum()
    return float(torch.special.entr(p).sum().exp())


def codebook_bars(counts: Tensor) -> Figure:
    """Draw a bar for each code's share of all counts, greatest first, and the share under even use."""
    from matplotlib.figure import Figure

    K, used = len(counts), int((counts > 0).sum())
    shares = (counts.double() / counts.sum()).sort(descending=True).values.numpy()
    figure = Figure(figsize=(6, 3.25), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.bar(range(1, K + 1), shares, width=0.8 if K <= 64 else 1.0, color="#4c78a8", linewidth=0)
    axes.axhline(1 / K, color=TEXT, linestyle="--", linewidth=1)
    axes.annotate(
        f"even use, 1/{K}", (1, 1 / K), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
        ha="right", size=POINTS, color=TEXT,
    )  # fmt: skip
    # room for a first bar that stands alone, and for the height of the last one
    axes.set(yscale="log", xlim=(0.5 - 0.02 * K, K + 0.5), ylim=(min(shares[used - 1], 1 / K) / 2, None))
    axes.set_xlabel("codes, the most frequent first", size=POINTS, color=TEXT)
    axes.set_ylabel("share of all places", size=POINTS, color=TEXT)
    title = f"Perplexity {perplexity(counts):.1f}; {used} of {K} codes used ({used / K:.1%})"
    axes.set_title(title, size=POINTS + 1, color=TEXT)
    axes.tick_params(which="both", labelsize=POINTS - 1, labelcolor=TEXT, color="#999999")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(picture: Sheet | Figure, target: Path) -> None:
    """Write a PNG atomically; equal pictures give equal bytes."""
    content = io.BytesIO()
    if isinstance(picture, Sheet) and not (picture.rows or picture.columns):
        Image.fromarray(enlarge(pixels(picture), picture.scale)).save(content, format="PNG")
    else:
        figure = labelled(picture) if isinstance(picture, Sheet) else picture
        figure.savefig(content, format="png", dpi=DPI, metadata={"Software": None})  # no version of matplotlib inside
    write_bytes(target, content.getvalue())
