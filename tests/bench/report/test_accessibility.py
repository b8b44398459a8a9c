"""axe-core finds nothing to mend: in light and dark, on a screen and a phone, with a dialog open."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.report.page import render


@pytest.fixture
def full_page(results: Path, change: Callable[..., str]) -> Path:
    """A page with all that there can be: curves of two seeds, a stamp, a flag, a failure to embed, no table."""

    def edit(record: dict[str, Any]) -> None:
        record["config"] |= {"seed": 1, "stamp": "smoke run: too short to mean anything"}
        record["curves"] = {"images_seen": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.0], "discriminator": [1.0, 2.0, 1.5]}
        for result in record["results"].values():
            result["flags"] = ["constant samples"]

    change("ae-*.json", "ae-mnist-1-00000000", edit)
    change("ae-mnist-0-*.json", "ae-mnist-2-00000000", lambda record: (edit(record), record["config"].update(seed=2)))
    change("vae-*.json", "vae-mnist-9-00000000", lambda record: record["results"].clear())
    (results / "pictures" / "gan-mnist-0-00000000" / "samples.png").write_bytes(b"half")
    for folder in (
        "ring_8",
        "latent-plane",
        *(f"pictures/{run}" for run in ("dae-mnist-0-00000000", "ae-mnist-0-00000000")),
    ):
        shutil.rmtree(results / folder)  # axe's time grows with the page
    for pattern in ("pixel_ar-*", "vqvae-*", "dae-*"):
        next((results / "records").glob(pattern)).unlink()
    file = results / "page.html"
    file.write_text(render(results))
    return file


def found(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    violations = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:150]}: {node['failureSummary'][:200]}"
        for one in violations
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_axe_finds_nothing(scheme: str, width: int, full_page: Path, browser: Any) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )  # axe is a script that the page's own policy would not let in
    page = context.new_page()
    page.goto(full_page.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert found(page) == []
    page.locator("button.figure").first.click()
    assert found(page) == []
    context.close()


def test_every_part_that_scrolls_and_every_dot_can_be_reached_and_has_a_name(full_page: Path, visit: Any) -> None:
    page = visit(full_page.as_uri())
    unnamed = """all => all.filter(one => one.tabIndex < 0 || !(one.getAttribute('aria-label')
      || document.getElementById(one.getAttribute('aria-labelledby'))?.textContent)).length"""
    assert page.eval_on_selector_all(".scroll, .dot, svg.curve[tabindex]", unnamed) == 0
