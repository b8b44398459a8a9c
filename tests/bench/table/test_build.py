"""Marks follow their rules, intervals their formula, and what does not compare is refused."""

from pathlib import Path

from bench.results.records import Failure, clear_failure, write_failure
from bench.table import render, text
from bench.table.build import build
from bench.table.rules import RULES
from tests.bench.records import figures, lecture, over_two_seeds, record

HERE = Path("results")


def test_marks_follow_the_figures() -> None:
    table = build(over_two_seeds(lecture()), HERE)
    for rule in RULES:
        for model, family in table.contenders.items():
            cell = table.lecture[rule.title][model]
            assert cell.mark == rule.lecture[family]
            assert cell.agrees
    assert list(table.contenders) == ["vae", "gan", "ddpm"]
    assert table.rows[0].name == "held-out images"
    diffusion = record("ddpm", "diffusion", rows={"ancestral-1000": figures(40, 0.1, 0.01)})
    worse = over_two_seeds([*lecture()[:2], diffusion, *lecture()[3:]])
    cells = {rule.title: build(worse, HERE).lecture[rule.title]["ddpm"] for rule in RULES}
    assert [cell.mark for cell in cells.values()] == ["×", "✓", "×"]
    assert not any(cell.agrees for cell in cells.values())


def test_a_run_that_diverged_is_named_under_the_table_of_its_preset(tmp_path: Path) -> None:
    for name, preset in (("gan-mnist-3-abc", "quick"), ("gan-mnist-4-abc", "smoke")):
        config = lecture()[1].config | {"preset": preset}
        failure = Failure(run_id=name, config=config, code={}, cause="the loss is nan after 50 images", images_seen=50)
        write_failure(failure, tmp_path)
    table = build(lecture(), tmp_path)
    assert table.failed == ["gan-mnist-3-abc (the loss is nan after 50 images)"]
    assert "Diverged, without figures: gan-mnist-3-abc (the loss is nan after 50 images)." in render.markdown(table)
    clear_failure(tmp_path, "gan-mnist-3-abc")
    assert build(lecture(), tmp_path).failed == []


def test_every_cell_of_a_line_comes_from_the_headline_row_and_other_rows_have_lines_of_their_own() -> None:
    rows = {
        "ancestral-100": figures(4, 0.9, 9, nfe=100),
        "ancestral-1000": {"seconds_per_100": 90.0, "nfe": 1000},
        "ddim-50": figures(8, 0.7, 0.1, nfe=50),
    }
    table = build([*lecture()[:2], record("ddpm", "diffusion", rows=rows), *lecture()[3:]], HERE)
    assert {table.lecture[rule.title]["ddpm"].source for rule in RULES} == {"ddpm, ancestral-100"}
    assert [(row.name, row.headline) for row in table.rows if row.family == "diffusion"] == [
        ("ddpm, ancestral-1000", False), ("ddpm, ancestral-100", True), ("ddpm, ddim-50", False),
    ]  # fmt: skip
    marks = {name: [table.lecture[rule.title][name].mark for rule in RULES] for name in table.others}
    assert marks == {"ddpm, ancestral-1000": ["–", "×", "–"], "ddpm, ddim-50": ["×", "✓", "×"]}
    assert "**Other samplers**" in render.markdown(table)
    quality = dict(text.figures_grids(table.rows))["Quality and coverage"]
    assert [line[0] for line in quality[1:]] == [row.name for row in table.rows if "precision" in row.figures
                                                 or row.family == "data"]  # fmt: skip


def test_a_family_without_a_record_has_an_empty_cell_not_a_cross() -> None:
    cell = build(lecture()[:1], HERE).lecture[RULES[0].title]["gan"]
    assert (cell.mark, cell.agrees) == ("–", None)


def test_every_model_of_a_family_has_a_column_and_one_row_speaks_for_all_its_marks() -> None:
    """A family may not borrow the speed of one of its models for the quality of another."""
    fast, good = figures(30, 0.5, 0.02), figures(4, 0.9, 90, nfe=50)
    runs = [
        record("vae", "autoregressive-vae", rows={"default": fast}),
        record("vqvae", "autoregressive-vae", rows={"default": good}),
    ]
    table = build([*lecture()[1:], *runs], HERE)
    assert list(table.contenders.items())[:2] == [("vae", "autoregressive-vae"), ("vqvae", "autoregressive-vae")]
    marks = {model: [table.lecture[rule.title][model].mark for rule in RULES] for model in ("vae", "vqvae")}
    assert marks == {"vae": ["×", "✓", "×"], "vqvae": ["✓", "×", "✓"]}
    assert "Autoregressive, VAEs<br>vqvae" in render.markdown(table)


def test_a_reference_stands_in_the_figures_and_sets_no_bar() -> None:
    """A plain autoencoder is in no column of the lecture's: its speed is not the speed that others are measured by."""
    reference = record("ae", "autoencoder", rows={"default": figures(0.2, 1.0, 1e-6)})
    with_it, without = build([*lecture(), reference], HERE), build(lecture(), HERE)
    assert with_it.lecture == without.lecture
    assert [row.name for row in with_it.rows][-1] == "ae"
