"""Pictures against what they show: their pixels are read back, on models whose answers are known."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from bench.evaluation.keys import seeded
from bench.plots import model_pictures as pictures
from bench.plots.captions import CAPTIONS
from bench.plots.image_grid import BREAK
from bench.plots.model_pictures import PICTURES, HeldOut, draw
from datamodules.stream import to_unit

GREY, COLOUR, ODD = (1, 28, 28), (3, 32, 32), (1, 13, 11)
every_shape = pytest.mark.parametrize("shape", [GREY, COLOUR, ODD], ids=str)


class Nothing:
    """A model that can do nothing beside sampling."""

    device = torch.device("cpu")
    classes = groups = 0


class Linear(Nothing):
    """Encodes by an orthonormal basis, so that `decode` of `encode` is a projection."""

    def __init__(self, shape: tuple[int, int, int], latent_dim: int) -> None:
        self.shape, self.latent_dim = shape, latent_dim
        normal = torch.randn(math.prod(shape), latent_dim, generator=torch.Generator().manual_seed(0))
        self.basis = torch.linalg.qr(normal)[0]

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.basis

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.basis.T).unflatten(1, self.shape).clamp(-1, 1)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Identity(Nothing):
    def reconstruct(self, x: Tensor) -> Tensor:
        return x


class Diffusion(Nothing):
    """x_t = (1 - t / T) x_0 + t / T noise; its sampler arrives at black images."""

    def __init__(self, T: int = 40) -> None:
        self.T = T

    def forward_chain(self, x: Tensor, times: Sequence[int], generator: torch.Generator) -> Tensor:
        eps = torch.randn(x.shape, generator=generator)
        return torch.stack([torch.lerp(x, eps, t / self.T) for t in times])

    def trajectory(self, n: int, generator: torch.Generator, steps: int) -> Iterator[tuple[int, Tensor]]:
        assert 1 <= steps <= self.T
        eps = torch.randn(n, *GREY, generator=generator)
        for t in (round(self.T * i / steps) for i in range(steps, -1, -1)):
            yield t, torch.lerp(-torch.ones_like(eps), eps, t / self.T)


class Denoiser(Nothing):
    """Corrupts by adding the level, and answers with the negative, so that no row can be taken for another."""

    noise_levels = (0.25, 0.5)

    def corrupt(self, x: Tensor, level: float, generator: torch.Generator) -> Tensor:
        return x + level

    def denoise(self, x: Tensor) -> Tensor:
        return -x.clamp(-1, 1)


class Quantiser(Nothing):
    """Sixteen codes: the levels of the first 2 x 2 pixels modulo 16."""

    codebook_size = 16

    def codes(self, x: Tensor) -> Tensor:
        return ((x[:, 0, :2, :2] + 1) * 127.5).round().long() % 16


class Everything(Linear, Diffusion, Denoiser, Quantiser):
    def __init__(self) -> None:
        Linear.__init__(self, GREY, 2)
        Diffusion.__init__(self)


def images(n: int, shape: tuple[int, int, int] = GREY) -> Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))


def held_out(n: int, shape: tuple[int, int, int] = GREY) -> HeldOut:
    return HeldOut(to_unit(images(n, shape)), None, seed=0)


def read(file: Path) -> Tensor:
    """A PNG as uint8 C x H x W."""
    array = np.asarray(Image.open(file))
    return torch.from_numpy(array.copy()).view(*array.shape[:2], -1).permute(2, 0, 1)


def levels(x: Tensor) -> Tensor:
    """To uint8, written out once more: what a sheet is expected to hold."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


@every_shape
def test_originals_stand_above_their_reconstructions(shape: tuple[int, int, int], tmp_path: Path) -> None:
    """Read back from the file: twice enlarged, a wider gap after each pair of rows."""
    x, (_, H, W) = images(40, shape), shape
    model = Linear(shape, 5)
    expected = {"whole": x, "part": levels(model.reconstruct(to_unit(x)))}
    for name, subject in (("whole", Identity()), ("part", model)):
        made = draw(subject, x, None, tmp_path / name, seed=0)  # type: ignore[arg-type]
        sheet = read(made["reconstructions"])
        assert torch.equal(sheet[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2), sheet)
        sheet = sheet[:, ::2, ::2]
        assert sheet.shape[1:] == (8 * (H + 1) + 1 + 3 * BREAK, 8 * (W + 1) + 1)
        for i in range(32):
            top, left = 1 + i // 8 * (2 * (H + 1) + BREAK), 1 + i % 8 * (W + 1)
            assert torch.equal(sheet[:, top : top + H, left : left + W], x[i])
            assert torch.equal(sheet[:, top + H + 1 : top + 2 * H + 1, left : left + W], expected[name][i])


def test_a_model_without_abilities_has_no_pictures(tmp_path: Path) -> None:
    assert draw(Nothing(), images(16), None, tmp_path, seed=0) == {}  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Identity(), {"reconstructions"}),
        (Linear(GREY, 3), {"reconstructions", "traversals", "interpolations"}),
        (Linear(GREY, 2), {"reconstructions", "traversals", "interpolations", "latent-plane"}),
        (Diffusion(), {"forward-chain", "film-strip"}),
        (Denoiser(), {"denoising"}),
        (Quantiser(), {"codebook-usage"}),
        (Everything(), {picture.name for picture in PICTURES} - {"by-label"}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, set) else "",
)
def test_abilities_decide_which_pictures_are_drawn(model: Nothing, names: set[str], tmp_path: Path) -> None:
    made = draw(model, images(16), torch.arange(16) % 3, tmp_path, seed=0)  # type: ignore[arg-type]
    assert made == {name: tmp_path / f"{name}.png" for name in names}
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.png" for name in names}
    assert names <= CAPTIONS.keys()


def test_equal_seeds_give_equal_files_and_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    first, second = (
        draw(Everything(), images(20), torch.arange(20) % 3, tmp_path / run, seed=0)  # type: ignore[arg-type]
        for run in ("first", "second")
    )
    assert torch.equal(state, torch.get_rng_state())
    for name, file in first.items():
        assert file.read_bytes() == second[name].read_bytes(), name
    for seed, equal in ((0, True), (1, False)):
        made = draw(Diffusion(), images(20), None, tmp_path / str(seed), seed=seed)  # type: ignore[arg-type]
        for name, file in made.items():
            assert (file.read_bytes() == first[name].read_bytes()) is equal, "a picture depends on the seed alone"


@pytest.mark.parametrize("n", [1, 3])
def test_few_images_do(n: int, tmp_path: Path) -> None:
    made = draw(Everything(), images(n), None, tmp_path, seed=0)  # type: ignore[arg-type]
    assert set(CAPTIONS) - set(made) - {"steps", "guidance", "by-guidance", "by-label"} == (
        {"interpolations"} if n == 1 else set()
    )


def test_interpolations_begin_and_end_at_the_reconstructions_beside_the_images() -> None:
    model, given = Linear(GREY, 7), held_out(14)
    cells = pictures.interpolations(model, given).cells  # type: ignore[union-attr]
    assert cells.shape[:2] == (6, 11)
    for row in range(6):
        a, b = given.x[2 * row], given.x[2 * row + 1]
        assert torch.equal(cells[row, [0, 10]], levels(torch.stack([a, b])))
        ends = levels(model.reconstruct(torch.stack([a, b])))
        middle = levels(model.decode(0.5 * (model.encode(a[None]) + model.encode(b[None]))))
        for k, expected in ((1, ends[0]), (5, middle[0]), (9, ends[1])):
            assert (cells[row, k].int() - expected.int()).abs().max() <= 1  # rounding at half a level


def test_traversals_move_one_latent_each_by_its_own_deviation_the_most_varied_first() -> None:
    model, given = Linear(GREY, 12), held_out(50)
    given.x[:, :, :14] *= 0.1  # so that deviations differ
    seen: list[Tensor] = []
    decode = model.decode
    model.decode = lambda z: (seen.append(z), decode(z))[1]  # type: ignore[method-assign]
    sheet = pictures.traversals(model, given)
    z = model.encode(given.x)
    order = z.std(0).argsort(descending=True)[:10]
    assert list(sheet.rows) == ["z" + "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(k + 1)) for k in order.tolist()]
    walks = torch.cat(seen).unflatten(0, (10, 9))
    for row, k in enumerate(order):
        scores = (walks[row, :, k] - z[:, k].mean()) / z[:, k].std(correction=0)
        torch.testing.assert_close(scores, torch.linspace(-3, 3, 9), rtol=1e-4, atol=1e-4)
        others = [i for i in range(12) if i != k]
        torch.testing.assert_close(walks[row, :, others], z[:1, others].expand(9, -1), rtol=1e-4, atol=1e-4)


def test_the_latent_plane_rises_to_the_right_and_upwards_between_the_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = Linear(GREY, 2), held_out(200)
    shown: dict[str, Tensor] = {}
    names = ("cells", "z_1", "z_2", "z", "labels")
    monkeypatch.setattr(pictures, "plane_and_scatter", lambda *values: shown.update(zip(names, values, strict=True)))
    pictures.latent_plane(model, given)
    z = model.encode(given.x)
    torch.testing.assert_close(shown["z"], z)
    for k, name in enumerate(("z_1", "z_2")):
        expected = np.quantile(z[:, k].numpy(), np.linspace(0.01, 0.99, 20))
        torch.testing.assert_close(shown[name], torch.from_numpy(expected).float(), rtol=1e-4, atol=1e-4)
    for row, column in ((0, 0), (0, 19), (19, 0), (7, 3)):
        z_there = torch.stack([shown["z_1"][column], shown["z_2"][19 - row]])
        difference = shown["cells"][row, column].int() - levels(model.decode(z_there[None]))[0].int()
        assert difference.abs().max() <= 1


def test_the_chain_starts_at_the_images_and_ends_in_the_noise() -> None:
    model, given = Diffusion(T=40), held_out(6)
    sheet = pictures.forward_chain(model, given)
    assert list(sheet.columns) == [f"t = {t}" for t in (0, 5, 10, 15, 20, 25, 30, 35, 40)]
    eps = torch.randn(4, *GREY, generator=seeded("cpu", "pictures", 0))
    assert torch.equal(sheet.cells[:, 0], levels(given.x[:4]))
    assert torch.equal(sheet.cells[:, -1], levels(eps))


@pytest.mark.parametrize(("T", "frames"), [(1000, 10), (100, 10), (40, 10), (4, 5), (1, 2)])
def test_the_film_runs_from_noise_to_samples_in_steps_that_the_model_has(T: int, frames: int) -> None:
    sheet = pictures.film_strip(Diffusion(T), held_out(1))
    assert sheet.cells.shape[:2] == (6, frames)
    times = [int(label.removeprefix("t = ")) for label in sheet.columns]
    assert (times[0], times[-1]) == (T, 0)
    assert times == sorted(set(times), reverse=True)
    assert torch.equal(sheet.cells[:, 0], levels(torch.randn(6, *GREY, generator=seeded("cpu", "pictures", 0))))
    assert (sheet.cells[:, -1] == 0).all()


def test_denoised_images_stand_beneath_the_noisy_ones_of_their_level() -> None:
    given = held_out(10)
    denoiser: Any = Denoiser()
    sheet = pictures.denoising(denoiser, given)
    assert list(sheet.rows) == ["clean", "noise 0.25", "denoised", "noise 0.5", "denoised"]
    x = given.x[:8]
    expected = [x, x + 0.25, -(x + 0.25).clamp(-1, 1), x + 0.5, -(x + 0.5).clamp(-1, 1)]
    assert torch.equal(sheet.cells, levels(torch.stack(expected)))


def test_the_usage_of_a_codebook_is_counted_over_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(500).view(-1, 1, 1, 1).expand(-1, *GREY) % 4  # codes 0 to 3 of 16
    counted: list[Tensor] = []
    monkeypatch.setattr(pictures, "codebook_bars", counted.append)
    pictures.codebook_usage(Quantiser(), HeldOut(to_unit(x.to(torch.uint8)), None, seed=0))
    assert counted[0].tolist() == [500, 500, 500, 500] + [0] * 12
