"""The answer names the rows with three ticks and measures what the nearest ones lack."""

from pathlib import Path

from bench.results.records import Record
from bench.table.answer import answer
from bench.table.build import build
from bench.table.rules import BEYOND
from bench.table.text import lecture_grid
from tests.bench.records import baseline, figures, over_two_seeds, record

HERE = Path("results")
BASELINES = [baseline("class-missing", {"coverage": 0.6}), baseline("one-in-ten-spoiled", {"precision": 0.96})]


def model(name: str, family: str, fid: float, coverage: float, seconds: float) -> Record:
    """A record; `figures` makes precision of FID: above the bar of 0.96 where FID is small."""
    return record(name, family, rows={"default": figures(fid, coverage, seconds)})


def answer_to(*records: Record) -> str:
    return answer(build([*over_two_seeds(list(records)), *BASELINES], HERE))


def test_a_row_with_three_ticks_is_named_and_the_nearest_others_are_measured() -> None:
    fast = model("flow_map", "flow", 1.5, 0.9, 0.01)
    slow = model("ddpm", "diffusion", 1.5, 0.9, 1.0)
    text = answer_to(fast, slow)
    assert text.startswith("On mnist, flow_map (2 seeds) has all three ticks. Nearest to that: ddpm")
    assert "misses s / 100 images (1, 10 times the bar of 0.1)" in text


def test_without_a_winner_the_nearest_rows_say_by_how_much_they_miss() -> None:
    text = answer_to(model("vae", "autoregressive-vae", 1.5, 0.3, 0.01), model("ddpm", "diffusion", 1.5, 0.3, 1.0))
    assert "no row has all three ticks" in text
    assert "Nearest to that: vae (2 seeds): misses coverage (0.300, 50.0% below the bar of 0.600)." in text
    assert "ddpm" not in text


def test_an_undecided_criterion_is_half_a_miss() -> None:
    low, high = (model("gan", "gan", 1.5, coverage, 0.01) for coverage in (0.5, 0.7))
    high.run_id, high.config["seed"] = "gan-1", 1
    missing = over_two_seeds([model("vae", "autoregressive-vae", 1.5, 0.3, 0.01)])
    text = answer(build([low, high, *missing, *BASELINES], HERE))
    assert "Nearest to that: gan (2 seeds): undecided on coverage (0.600, 0.0% above the bar of 0.600)." in text
    assert "vae" not in text


def test_without_bars_nothing_is_claimed() -> None:
    assert "were not measured" in answer(build([model("vae", "autoregressive-vae", 1.5, 0.3, 0.01)], HERE))


def test_families_beyond_the_lecture_have_lines_with_their_own_names_and_no_mark_of_the_lecture() -> None:
    records = [model(family, family, 1.5, 0.9, 0.01) for family in BEYOND]
    lines = lecture_grid(build([*over_two_seeds(records), *BASELINES], HERE), "; ")[1:]
    for family, name in BEYOND.items():
        (line,) = [line for line in lines if line[0] == f"{name}; {family}"]
        assert not any("lecture" in cell for cell in line)
