"""Sheets and plots: the pixels that stand in the files, and where."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bench.plots.image_grid import CELL, Sheet, enlarge, in_rows, perplexity, pixels, plane_and_scatter, save
from bench.plots.model_pictures import save_grid

GREY = (1, 28, 28)
every_shape = pytest.mark.parametrize("shape", [GREY, (3, 32, 32), (1, 13, 11)], ids=str)


def images(n: int, shape: tuple[int, int, int] = GREY) -> Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))


def read(file: Path) -> Tensor:
    """A PNG as uint8 C x H x W."""
    array = np.asarray(Image.open(file))
    return torch.from_numpy(array.copy()).view(*array.shape[:2], -1).permute(2, 0, 1)


@every_shape
def test_a_grid_holds_its_images_row_by_row_on_white(shape: tuple[int, int, int], tmp_path: Path) -> None:
    x, (C, H, W) = images(11, shape), shape
    save_grid(x, tmp_path / "new" / "grid.png")
    grid = read(tmp_path / "new" / "grid.png")
    assert grid.shape == (C, 2 * (H + 1) + 1, 8 * (W + 1) + 1)
    for i in range(16):
        top, left = 1 + i // 8 * (H + 1), 1 + i % 8 * (W + 1)
        cell = grid[:, top : top + H, left : left + W]
        assert torch.equal(cell, x[i]) if i < 11 else (cell == 255).all()
        cell.fill_(255)
    assert (grid == 255).all(), "the rest is white"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["grid.png"], "nothing is left beside it"


@every_shape
def test_labels_leave_every_pixel_as_it_is(shape: tuple[int, int, int], tmp_path: Path) -> None:
    """The enlarged sheet lies somewhere in the labelled one, pixel for pixel, with text to its left and above it."""
    sheet = Sheet(in_rows(images(6, shape), 3), ["upper", "lower row"], ["a", "b", "t = 1000"], {1}, {1, 2})
    save(sheet, tmp_path / "a.png")
    page = read(tmp_path / "a.png")[:3]
    enlarged = enlarge(pixels(sheet), -(-CELL // shape[2]))
    inner = torch.from_numpy(enlarged).view(*enlarged.shape[:2], -1).permute(2, 0, 1).expand(3, -1, -1)
    (_, height, width), (_, H, W) = inner.shape, page.shape
    places = [
        (top, left)
        for top in range(H - height + 1)
        for left in range(W - width + 1)
        if torch.equal(page[:, top : top + height : 7, left + 5], inner[:, ::7, 5])
        and torch.equal(page[:, top : top + height, left : left + width], inner)
    ]
    assert len(places) == 1
    ((top, left),) = places
    assert (page[:, :top] < 128).any()
    assert (page[:, :, :left] < 128).any()
    assert (page[:, top + height :] == 255).all()
    for edge in (page[:, 0], page[:, -1], page[:, :, 0], page[:, :, -1]):
        assert (edge == 255).all(), "no text is cut off"


def test_the_planes_first_row_is_its_top_and_no_pixel_is_lost(tmp_path: Path) -> None:
    cells = torch.full((20, 20, *GREY), 128, dtype=torch.uint8)
    cells[0, -1] = 0  # a black that no text has
    z = torch.linspace(-1, 1, 20)
    save(plane_and_scatter(cells, z, z, torch.stack([z, z], 1), torch.arange(20) % 3), tmp_path / "plane.png")
    page = read(tmp_path / "plane.png")[0]
    plane = (page == 128) | (page == 0)
    rows, columns = (plane.sum(side) > 500 for side in (1, 0))
    rows, columns = rows.nonzero().flatten(), columns.nonzero().flatten()
    side = 20 * 28
    assert rows.tolist() == list(range(rows[0], rows[0] + side))
    assert columns.tolist() == list(range(columns[0], columns[0] + side))
    assert plane[rows][:, columns].sum() > side**2 - 30, "but for the feet of ticks"
    assert torch.equal((page == 0).nonzero(), torch.cartesian_prod(rows[:28], columns[-28:]))


def test_perplexity_counts_the_codes_that_are_used_evenly() -> None:
    assert perplexity(torch.full((16,), 7)) == pytest.approx(16)
    assert perplexity(torch.tensor([0, 5, 0, 5, 5, 0])) == pytest.approx(3)
    assert perplexity(torch.tensor([9, 0, 0])) == 1
    p = torch.tensor([0.5, 0.25, 0.25])
    assert perplexity(p * 400) == pytest.approx(math.exp(-(p * p.log()).sum()))
