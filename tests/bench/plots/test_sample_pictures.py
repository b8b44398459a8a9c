"""Rows' pictures show what was measured: pairs pixel by pixel, points where they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.evaluation.scoring import Closest, Evaluation
from bench.plots.sample_pictures import closest_pairs, draw_row, scatter
from bench.results.layout import row_files
from datamodules import DATAMODULES
from datamodules.mixtures import Mixture


def test_pairs_are_the_samples_above_their_training_images() -> None:
    training = torch.randint(0, 256, (50, 1, 6, 5), dtype=torch.uint8)
    closest = Closest(255 - training[[7, 3, 9]], torch.tensor([7, 3, 9]), torch.tensor([0.0, 0.125, 2.0]))
    sheet = closest_pairs(closest, training)
    assert torch.equal(sheet.cells[0], closest.images)
    assert torch.equal(sheet.cells[1], 255 - sheet.cells[0])
    assert list(sheet.columns) == ["0", "0.12", "2"]


@pytest.mark.parametrize("name", ["grid_25", "ring_8"])
def test_the_scatter_counts_the_modes_that_its_points_are_in(name: str, tmp_path: Path) -> None:
    data = DATAMODULES[name]()
    assert isinstance(data, Mixture)
    kept = data.centres[:5]
    points = torch.cat([kept, kept[:1] + 2.9 * data.deviation / 2**0.5, torch.tensor([[0.5, 0.05]])])[..., None, None]
    figure = scatter(points, data)
    (axes,) = figure.axes
    assert f"7 samples: 5 of {len(data.centres)} modes" in axes.get_title()
    rings, elsewhere, inside = (np.asarray(collection.get_offsets()) for collection in axes.collections)
    np.testing.assert_allclose(rings, data.centres)
    np.testing.assert_allclose(elsewhere, np.array([[0.5, 0.05]]))
    np.testing.assert_allclose(inside, points[:6].flatten(1))
    draw_row(Evaluation(points, {}, {}, {}, (), {}, None, {}), data, *row_files(tmp_path, "ddim-50"))
    first = (tmp_path / "samples-ddim-50.png").read_bytes()
    draw_row(Evaluation(points, {}, {}, {}, (), {}, None, {}), data, *row_files(tmp_path, "ddim-50"))
    assert (tmp_path / "samples-ddim-50.png").read_bytes() == first
    assert Image.open(tmp_path / "samples-ddim-50.png").width >= 600
