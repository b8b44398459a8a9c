"""Pictures are embedded by their importance until the page is full; what is left out is named."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report.gallery import Gallery, Picture, embedded_paths
from bench.report.page import LIMIT, render


def png(file: Path, size: int) -> None:
    """A file with a PNG's head, of so many bytes."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 900, 400)
    file.write_bytes(head + bytes(size - len(head)))


def test_what_does_not_fit_is_named_and_the_more_important_kinds_stay(
    results: Path, parse: Callable[[str], Any]
) -> None:
    for file in results.rglob("pictures/*/*.png"):
        png(file, 400_000)
    text = render(results)
    assert 0.9 * LIMIT < len(text.encode()) <= LIMIT < 10_000_000
    document = parse(text)
    left_out = [one.all("code")[0].text for one in document.all("p", class_="left-out")]
    files = {file.relative_to(results).as_posix() for file in results.rglob("pictures/*/*.png")}
    assert len(left_out) + len(document.all("img")) == len(files)
    assert set(left_out) <= files
    assert not [path for path in left_out if "/samples" in path]
    assert [path for path in left_out if path.endswith("traversals.png")]


def test_a_file_that_is_no_picture_is_named(results: Path) -> None:
    (results / "pictures" / "gan-mnist-0-00000000" / "samples.png").write_bytes(b"half")
    assert "Unreadable picture: <code>pictures/gan-mnist-0-00000000/samples.png</code>" in " ".join(
        render(results).split()
    )


def test_of_several_seeds_the_first_ones_pictures_are_shown_and_say_so(
    results: Path, change: Callable[..., str]
) -> None:
    for seed in (3, 2):
        run = change(
            "vqvae-mnist-0-*.json",
            f"vqvae-mnist-{seed}-0000000{seed}",
            lambda one, seed=seed: one["config"].update(seed=seed),
        )
        folder = results / "pictures" / run
        folder.mkdir()
        for kind in ("samples", "nearest", "codebook-usage"):
            png(folder / f"{kind}.png", 100)
    (results / "records" / "vqvae-mnist-0-00000000.json").unlink()
    text = " ".join(render(results).split())
    assert text.count("<figcaption>vqvae, seed 2 of several</figcaption>") == 3
    assert "vqvae, seed 3" not in text


def test_the_picture_of_the_steps_is_left_to_the_pages_own_drawing(results: Path) -> None:
    before = render(results)
    png(results / "pictures" / "gan-mnist-0-00000000" / "steps.png", 100)
    assert render(results) == before


def test_a_picture_that_stands_in_several_comparisons_is_counted_as_often() -> None:
    def picture(name: str) -> Picture:
        return Picture(Path(name), name, "vae", "gan", "", "", 8, 8, 3_000)

    one = Gallery("samples", "", "", [picture("a"), picture("b")])
    each = picture("a").uri_size
    assert embedded_paths([one], 2 * each) == {"a", "b"}
    assert embedded_paths([one, one], 2 * each) == {"a"}
    assert embedded_paths([one, one], 4 * each) == {"a", "b"}
    assert embedded_paths([one, one], 2 * each - 1) == set()
