"""The file: the same bytes for the same records, small, inert whatever the records say, checked."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.plots.captions import CAPTIONS
from bench.report.gallery import DRAWN
from bench.report.page import render
from bench.table.literature import LINK

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&{{ 7*7 }}</style>"

LABELLED = ("by-label", "by-guidance")  # pictures of models that are given labels, which the example lacks


def test_equal_records_give_equal_bytes_wherever_they_lie(
    results: Path, example_results: Path, page_file: Path
) -> None:
    assert render(results) == page_file.read_text()
    assert str(example_results.parent) not in page_file.read_text()


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
    for kind, caption in CAPTIONS.items():
        assert kind in (*DRAWN, *LABELLED) or any(one.endswith(caption) for one in said), caption
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
