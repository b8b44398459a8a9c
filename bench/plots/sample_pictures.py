"""Draw a row's samples, as a grid or a scatter, and the pairs of samples and their nearest training images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.evaluation.scoring import Closest, Evaluation
from bench.plots.image_grid import DPI, POINTS, TEXT, Sheet, save
from bench.plots.model_pictures import save_grid
from datamodules.base import ImageDataModule
from datamodules.mixtures import Mixture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAIRS = 10  # of the evaluation's


def draw_row(evaluated: Evaluation, data: ImageDataModule, samples: Path, nearest: Path) -> None:
    """Write the pictures of a row: its samples, and of images the pairs nearest to training images."""
    if isinstance(data, Mixture):
        save(scatter(evaluated.images, data), samples)
        return
    save_grid(evaluated.images, samples)
    if evaluated.closest:
        save(closest_pairs(evaluated.closest, data.train_images), nearest)


def closest_pairs(closest: Closest, training: Tensor) -> Sheet:
    """Draw samples above their nearest training images, with the distance in feature space on top."""
    count = min(PAIRS, len(closest.distances))
    cells = torch.stack([closest.images[:count], training[closest.training[:count]]])
    return Sheet(cells, ["sample", "training"], [f"{distance:.2g}" for distance in closest.distances[:count].tolist()])


def scatter(points: Tensor, data: Mixture) -> Figure:
    """Draw samples over held-out points: N x 2 x 1 x 1 in [-1, 1]; those within 3 deviations of a centre stand out.

    The distances are those of the evaluation's `by_centres`.
    """
    from matplotlib.figure import Figure

    from bench.evaluation.metrics.modes import by_centres

    component = by_centres(points.flatten(1), data.centres, data.deviation)
    figure = Figure(figsize=(5, 5.2), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    # rings, because at this scale the components are as small as the dots
    x, y = data.centres.T.numpy()
    axes.scatter(x, y, s=110, facecolors="none", edgecolors="#999999", linewidths=0.8)
    for mask, colour, label in ((component < 0, "#e45756", "elsewhere"), (component >= 0, "#4c78a8", "of a mode")):
        subset = points[mask].flatten(1)
        share = len(subset) / len(points)
        x, y = subset.T.numpy()
        axes.scatter(x, y, s=4, color=colour, alpha=0.5, linewidths=0, label=f"{label}: {share:.1%}")
    modes = len(component[component >= 0].unique())
    axes.set_title(
        f"{len(points):,} samples: {modes} of {len(data.centres)} modes (rings)", size=POINTS + 1, color=TEXT
    )
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=2, frameon=False, fontsize=POINTS, markerscale=3)
    axes.tick_params(labelsize=POINTS - 1, labelcolor=TEXT, color="#999999")
    axes.spines[:].set_color("#cccccc")
    return figure
