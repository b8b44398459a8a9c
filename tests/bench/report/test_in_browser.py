"""The page in headless Chromium: filters, sorting, details, pictures, print; by mouse and by keyboard."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.report.page import render
from bench.results.records import read_all
from bench.table.build import build

ROWS = "tr[data-row*=-row]"  # of block two

Visit = Callable[..., Any]


def shown_rows(page: Any) -> set[str]:
    """The rows of block two that can be seen."""
    return set(
        page.eval_on_selector_all(ROWS, "rows => rows.filter(row => row.checkVisibility()).map(row => row.dataset.row)")
    )


def test_nothing_is_asked_of_any_network(page_file: Path, browser: Any) -> None:
    page, asked, said = browser.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(page_file.as_uri())
    page.mouse.wheel(0, 30000)
    page.locator("button.figure").first.click()
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert said == []
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    page.close()


def test_what_the_policy_forbids_does_not_run(page_file: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 2\">')"
    )
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize(
    ("choice", "value"), [("family", "gan"), ("family", "data"), ("data-set", "ring_8"), ("preset", "quick")]
)
def test_filters_show_precisely_the_rows_of_what_is_chosen(
    choice: str, value: str, example_results: Path, page_file: Path, visit: Visit
) -> None:
    expected, everything = set(), set()
    for number, place in enumerate(("", "grid_25", "latent-plane", "ring_8")):
        records = read_all(example_results / place)
        for k, row in enumerate(build(records, example_results / place).rows):
            facts = {"family": row.family, "data-set": records[-1].config["data"]["name"], "preset": "quick"}
            everything.add(f"c{number}-row{k}")
            if facts[choice] == value:
                expected.add(f"c{number}-row{k}")
    page = visit(page_file.as_uri())
    assert shown_rows(page) == everything
    page.select_option(f"#{choice}", value)
    assert shown_rows(page) == expected
    assert f"{len(expected)} of {len(everything)} rows" in page.inner_text("#status")
    assert page.url.endswith(f"#{choice}={value}")
    again = visit(page.url)  # the address holds the choice
    assert shown_rows(again) == expected
    assert again.input_value(f"#{choice}") == value
    page.click("#clear")
    assert shown_rows(page) == everything
    assert page.url.endswith("report.html#")


def test_filters_hold_for_marks_dots_and_pictures_too_and_say_when_nothing_is_left(
    page_file: Path, visit: Visit
) -> None:
    page = visit(page_file.as_uri() + "#family=gan")
    families = "all => [...new Set(all.filter(one => one.getClientRects().length).map(one => one.dataset.family))]"
    assert page.eval_on_selector_all("[data-family]", families) == ["gan"]
    assert page.locator("#c2").is_hidden()  # a VAE alone
    assert page.locator(".contents a[href='#c2']").is_hidden()
    assert page.locator("#c0 .gallery:visible").count() == 2  # samples and neighbours: a GAN has no others
    page.goto(page_file.as_uri() + "#family=autoencoder&data-set=ring_8")
    assert page.locator("#nothing").is_visible()
    assert page.inner_text("#status").startswith("0 of 4 comparisons, 0 of ")


def test_every_numeric_column_sorts_as_its_figures_do_with_what_is_missing_last(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri())
    script = """tables => tables.map(table => [...table.tHead.rows[0].cells].map((head, column) => {
      const value = (row) => row.cells[column].dataset.value ?? null;
      const read = () => [...table.tBodies[0].rows].map(row => [row.dataset.row, value(row)]);
      if (!column || !head.querySelector('button')) return null;
      const states = [read()];
      const words = [head.ariaSort];
      for (let k = 0; k < 3; k++) {
        head.querySelector('button').click(); states.push(read()); words.push(head.ariaSort);
      }
      return [states, words];
    }))"""
    columns = [one for table in page.eval_on_selector_all("table.figures", script) for one in table if one]
    assert len(columns) > 60
    missing = 0
    for (before, up, down, after), words in columns:
        assert words == ["none", "ascending", "descending", "none"]
        missing += sum(value is None for _, value in before)
        for sign, found in ((1, up), (-1, down)):
            expected = sorted(before, key=lambda one: math.inf if one[1] is None else sign * float(one[1]))
            assert found == expected
        assert after == before
    assert missing > 5


def test_names_sort_too_and_only_one_column_at_a_time(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri())
    heads = page.locator("#c0 table.figures").first.locator("thead button")
    heads.nth(1).click()
    heads.nth(0).click()
    table = page.locator("#c0 table.figures").first
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names)
    assert table.locator("th[aria-sort=ascending]").count() == 1


def test_a_figures_details_are_the_records(example_results: Path, page_file: Path, visit: Visit) -> None:
    record = json.loads((example_results / "records" / "ddpm-mnist-0-00000000.json").read_text())
    fingerprint, result = next((k, one) for k, one in record["results"].items() if "fid" in one["metrics"])
    page = visit(page_file.as_uri())
    name = f"ddpm, {result['protocol']['sampler']}"
    row = page.locator("#c0 table.figures tbody tr", has_text=name).first
    row.locator("[data-key=fid]").click()
    said = page.inner_text("dialog")
    interval = "{!r} – {!r}, 95% over the samples".format(*result["intervals"]["fid"])
    for part in (
        f"{name}: FID", repr(result["metrics"]["fid"]), interval, "lower is better",
        record["run_id"], f"Protocol {fingerprint}", result["hardware"]["cpu"], record["code"]["commit"][:12],
        f"{record['images_seen']:,} images in batches of {record['config']['train']['batch']}",
    ):  # fmt: skip
        assert part in said
    page.click("dialog summary")
    assert result["protocol"]["extractor_digest"] in page.inner_text("dialog")
    page.click("#close")
    assert page.locator("dialog").is_hidden()


def test_a_dot_says_its_figures_on_hover_and_on_focus_and_opens_their_details(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri())
    dot, following = (page.locator("#c0 .wide .dot").nth(k) for k in (0, 1))
    told = dot.get_attribute("aria-label")
    dot.hover()
    assert page.locator("#tooltip").is_visible()
    assert page.inner_text("#tooltip") == told
    page.mouse.move(0, 0)
    assert page.locator("#tooltip").is_hidden()
    page.evaluate("scrollTo(0, 0)")
    dot.focus()
    page.wait_for_timeout(300)  # for the scrolling that focus brings
    assert page.locator("#tooltip").is_visible()
    assert page.inner_text("#tooltip") == told
    page.keyboard.press("Escape")
    assert page.locator("#tooltip").is_hidden()
    page.keyboard.press("Tab")
    assert page.locator("#tooltip").is_visible()
    assert page.inner_text("#tooltip") == following.get_attribute("aria-label")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.inner_text("dialog h2") == f"{told.split(':')[0]}: FID"


def test_the_keyboard_alone_opens_a_figure_and_comes_back_to_it(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri() + "#data-set=grid_25")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "figure":
            break
    at = page.evaluate("document.activeElement.textContent")
    assert at.startswith("modes 10")
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()
    assert page.evaluate("document.activeElement.textContent") == at


def test_a_picture_is_enlarged_and_keeps_its_words(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri())
    picture = page.locator("#c0 .picture").first
    picture.focus()
    page.keyboard.press("Enter")
    image = page.locator("dialog img")
    assert image.bounding_box()["width"] >= 2 * picture.locator("img").bounding_box()["width"]
    assert image.get_attribute("alt") == picture.locator("img").get_attribute("alt")
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"


def test_a_curve_says_the_value_nearest_to_the_pointer(results: Path, change: Callable[..., str], visit: Visit) -> None:
    curves = {"images_seen": [1000.0 * k for k in range(1, 11)], "loss": [10.0 - k for k in range(10)]}
    change("gan-*.json", "gan-mnist-0-00000000", lambda record: record.update(curves=curves))
    (results / "page.html").write_text(render(results))
    page = visit((results / "page.html").as_uri())
    curve = page.locator("svg.curve[aria-label^='gan, loss']").first  # MNIST's: the page begins with it
    curve.scroll_into_view_if_needed()
    x, y = map(float, curve.locator(".course").get_attribute("data-points").split(";")[6].split()[:2])
    place = curve.evaluate(
        "(svg, [x, y]) => { const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [at.x, at.y]; }",
        [x, y],
    )
    page.mouse.move(place[0] + 3, place[1] - 10)
    assert page.inner_text("#tooltip") == "seed 0: 4 at 7,000 images seen"


def test_colours_follow_the_system_until_they_are_chosen_and_are_remembered(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri(), color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.click("#theme")
    light = page.evaluate(colour)
    assert dark != light
    assert page.get_attribute("#theme", "aria-label") == "Colours: light"
    page.reload()
    assert page.evaluate(colour) == light
    page.click("#theme")
    assert page.evaluate(colour) == dark


@pytest.mark.parametrize("width", [360, 390, 800])
def test_the_page_itself_never_scrolls_sideways(width: int, page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri(), width=width, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#c0 .chart:visible").count() == 1


def test_print_shows_everything_whatever_is_filtered(page_file: Path, visit: Visit) -> None:
    page = visit(page_file.as_uri(), color_scheme="dark")
    everything = shown_rows(page)
    page.select_option("#family", "gan")
    page.emulate_media(media="print", color_scheme="dark")
    assert shown_rows(page) == everything
    assert page.locator("#controls").is_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf(prefer_css_page_size=True)) > 100_000


def test_without_scripts_the_page_can_still_be_read(page_file: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator("#c3 table.figures").first.is_visible()
    assert page.locator("noscript").inner_text().startswith("All tables, charts and pictures can be read")
    assert page.locator("#c0 .wide > svg").is_visible()
    context.close()
