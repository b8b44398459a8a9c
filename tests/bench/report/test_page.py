"""The file: the same bytes for the same records, small, inert whatever the records say, checked."""

import html
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.plots.captions import CAPTIONS
from bench.report.gallery import Gallery, Picture, embedded_paths
from bench.report.page import LIMIT, render
from bench.table.literature import LINK

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&{{ 7*7 }}</style>"


def test_equal_records_give_equal_bytes_wherever_they_lie(
    results: Path, example_results: Path, page_file: Path
) -> None:
    assert render(results) == page_file.read_text()
    assert str(example_results.parent) not in page_file.read_text()


def test_a_written_page_is_checked_against_the_records(
    results: Path, change: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = results / "report.html"
    assert main(["report", "--check", f"results={results}"]) == 1
    assert capsys.readouterr().err == f"{page}: missing\n"
    assert main(["report", f"results={results}"]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"written: {page} (")
    assert f"open it in a browser: {page.as_uri()}" in said
    written = page.read_bytes()
    assert main(["report", "--check", f"results={results}"]) == 0
    assert capsys.readouterr().err == f"{page}: the page is up to date\n"
    change("gan-*.json", "gan-mnist-0-00000000", lambda record: record.update(images_seen=1))
    assert main(["report", "--check", f"results={results}"]) == 1
    assert "out of date; update it with `bench report" in capsys.readouterr().err
    assert page.read_bytes() == written


def test_nothing_but_the_page_itself_is_fetched(page_file: Path, parse: Callable[[str], Any]) -> None:
    document = parse(page_file.read_text())
    policy = document.all("meta", http_equiv="Content-Security-Policy")[0].attributes["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    sources = [image.attributes["src"] for image in document.all("img")]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert [link.attributes["href"] for link in document.all("link")] == ["data:,"]
    links = [link.attributes["href"] for link in document.all("a")]
    assert [link for link in links if not link.startswith("#")] == [LINK]  # to be followed, not fetched
    assert "@import" not in page_file.read_text()
    assert "url(" not in page_file.read_text()


def test_every_picture_has_its_words_and_is_there_once(
    example_results: Path, page_file: Path, parse: Callable[[str], Any]
) -> None:
    images = parse(page_file.read_text()).all("img")
    assert len(images) == len(list(example_results.rglob("pictures/*/*.png")))
    said = [image.attributes["alt"] for image in images]
    for caption in CAPTIONS.values():
        assert any(one.endswith(caption) for one in said), caption
    assert len(set(zip(said, (image.attributes["src"] for image in images), strict=True))) == len(images)


def test_a_hostile_record_is_text_and_nothing_else(
    results: Path, change: Callable[..., str], parse: Callable[[str], Any], page_file: Path
) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["config"]["model"]["name"] = HOSTILE
        record["config"]["model"][HOSTILE] = HOSTILE
        record["config"]["stamp"] = HOSTILE
        record["family"] = "autoencoder"
        record["curves"] = {"images_seen": [1.0, 2.0], HOSTILE: [1.0, 2.0]}
        for result in record["results"].values():
            result["flags"] = [HOSTILE]

    change("gan-*.json", "gan-mnist-9-00000000", edit)
    text = render(results)
    document, usual = parse(text), parse(page_file.read_text())
    assert len(document.all("script")) == len(usual.all("script")) == 2
    assert len(document.all("style")) == 1
    assert not [image for image in document.all("img") if image.attributes["src"] == "x"]
    assert "onerror" not in {
        name for tag in ("img", "script", "svg", "g") for node in document.all(tag) for name in node.attributes
    }
    assert html.escape(HOSTILE, quote=False)[:20] in text
    assert HOSTILE not in text
    assert "49" not in re.findall(r"&amp;(.{0,9})", text)


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


def test_a_picture_that_stands_in_several_comparisons_is_counted_as_often() -> None:
    def picture(name: str) -> Picture:
        return Picture(Path(name), name, "vae", "gan", "", "", 8, 8, 3_000)

    one = Gallery("samples", "", "", [picture("a"), picture("b")])
    each = picture("a").uri_size
    assert embedded_paths([one], 2 * each) == {"a", "b"}
    assert embedded_paths([one, one], 2 * each) == {"a"}
    assert embedded_paths([one, one], 4 * each) == {"a", "b"}
    assert embedded_paths([one, one], 2 * each - 1) == set()
