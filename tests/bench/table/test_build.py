"""Marks follow their rules, intervals their formula, and what does not compare is refused."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.evaluation.metrics.intervals import half_width
from bench.evaluation.metrics.registry import METRICS
from bench.results.records import Failure, clear_failure, write_failure
from bench.results.selection import TableError, select
from bench.table import render, text
from bench.table.build import build
from bench.table.columns import COLUMNS, SECTIONS
from bench.table.rules import RULES
from tests.bench.records import ability, figures, lecture, over_two_seeds, protocol, record, skilled

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


def test_one_seed_has_the_intervals_of_its_samples_and_repeats() -> None:
    runs = lecture()
    result = next(iter(runs[0].results.values()))
    result.intervals = {"kid": (0.001 - 0.002, 0.001 + 0.002), "recall": (0.85 - 0.01, 0.85 + 0.01)}
    result.flags = ["only 5 of 2,000 samples are distinct"]
    each = result.timing["seconds_per_100"]
    result.timing["seconds_per_100_interval"] = (each - 0.003, each + 0.003)
    table = build(runs, HERE)
    (row,) = (row for row in table.rows if row.model == "vae")
    halves = {key: figure.half for key, figure in row.figures.items() if figure.interval}
    assert halves == pytest.approx({"kid": 2.0, "recall": 0.01, "seconds_per_100": 0.003})
    assert row.protocols == tuple(runs[0].results)
    shown = render.markdown(table)
    assert "| vae † " in shown
    assert "† vae: only 5 of 2,000 samples are distinct" in shown


def test_another_programs_images_have_a_row_and_no_line_of_the_lecture() -> None:
    outside = record("theirs", "outside", rows={"images": {"fid": 3.0, "recall": 1.0}}, weights="none")
    outside.config["preset"] = "smoke"  # the preset says nothing about it
    table = build(select([*lecture(), outside], {"preset": "quick"}), HERE)
    assert [row.name for row in table.rows][-1] == "theirs"
    assert table.lecture == build(lecture(), HERE).lecture
    other = record("theirs", "outside", rows={"images": {"fid": 3.0}}, weights="none", samples=100)
    assert [row.name for row in build([*lecture(), other], HERE).rows] == [row.name for row in table.rows[:-1]]
    chosen = select([*lecture(), other], {"samples": 2000})
    assert build(chosen, HERE).left_out == ["theirs (other evaluation settings)"]
    assert build([*lecture(), other], HERE).left_out == ["theirs (samples: 2000 vs 100, kid_subset_size: 1000 vs 100)"]


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


def test_seeds_give_a_mean_and_a_t_interval() -> None:
    runs = [
        record("gan", "gan", seed, {"default": figures(fid, 0.4, 0.03)}) for seed, fid in enumerate((4.0, 5.0, 6.0))
    ]
    (row,) = build(runs, HERE).rows
    assert row.seeds == 3
    assert row.figures["fid"].value == pytest.approx(5)
    assert row.figures["fid"].half == pytest.approx(
        4.30265 / 3**0.5, rel=1e-5
    )  # t of 2 degrees of freedom, deviation 1
    assert half_width([3.0, 3.0]) == 0


def test_a_figure_that_a_seed_lacks_is_named() -> None:
    runs = [record("gan", "gan", seed, {"default": figures(4.0 + seed, 0.4, 0.03)}) for seed in (0, 1)]
    del next(iter(runs[1].results.values())).metrics["kid"]
    (row,) = build(runs, HERE).rows
    assert "kid" not in row.figures
    (said,) = row.missing
    assert said == "kid of 1 of 2 seeds only; `bench train` again completes gan-1"
    assert f"gan has no mean of {said}." in text.caption(build(runs, HERE))


def test_results_of_two_protocols_in_one_record_are_chosen_by_protocol() -> None:
    """As records of an earlier version hold them, whose protocols said nothing of held-out images."""
    runs = lecture()
    for one in runs[:3]:
        sampler = next(iter(one.results.values())).protocol["sampler"]
        rows = {sampler: figures(9, 0.9, 0.02)}
        one.results |= record(one.config["model"]["name"], one.family, rows=rows, held_out_digest="h").results
    with pytest.raises(TableError, match="held_out_digest.*choose with protocol=.* or protocol="):
        build(runs, HERE)
    old, new = (protocol(**changes).setting() for changes in ({}, {"held_out_digest": "h"}))
    assert {row.figures["fid"].value for row in build(select(runs, {"protocol": new}), HERE).rows} == {9}
    assert build(select(runs, {"protocol": old}), HERE) == build(lecture(), HERE)


def test_seeds_are_one_row_wherever_their_data_lay() -> None:
    runs = [record("gan", "gan", seed, {"default": figures(4.0 + seed, 0.4, 0.03)}) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        run.config["data"] = {"name": "mnist", "root": f"/home/{seed}"}
    assert [row.seeds for row in build(runs, HERE).rows] == [2]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"samples": 1000}, "samples: "), ({"extractor_digest": "x"}, "extractor_digest"), ({"chunk": 100}, "chunk: ")],
)
def test_results_of_two_protocols_are_refused(change: dict[str, Any], said: str) -> None:
    other = record("gan", "gan", rows={"default": figures(5, 0.4, 0.03)}, **change)
    with pytest.raises(TableError, match=f"two protocols.*{said}"):
        build([lecture()[0], other], HERE)


def test_presets_are_never_mixed() -> None:
    vae, gan, *_ = lecture()
    gan.config["preset"] = "smoke"
    with pytest.raises(TableError, match="preset=quick or preset=smoke"):
        build([vae, gan], HERE)
    assert [row.name for row in build(select([vae, gan], {"preset": "quick"}), HERE).rows] == ["vae"]


def test_every_form_holds_the_same_figures(tmp_path: Path) -> None:
    table = build(skilled(), HERE)
    files = {file.name.removeprefix("TABLE"): file for file in render.write(table, tmp_path)}
    parsed = json.loads(files[".json"].read_text())
    lines = list(csv.DictReader(io.StringIO(files[".csv"].read_text())))
    for row, line, stored in zip(table.rows, lines, parsed["rows"], strict=True):
        assert line["row"] == stored["name"] == row.name
        for key, figure in row.figures.items():
            assert float(line[key]) == stored["figures"][key]["value"] == figure.value
            ends = [line[f"{key}_{end}"] for end in ("low", "high")]
            assert ends == ["", ""] if figure.interval is None else tuple(map(float, ends)) == figure.interval
    beside = list(csv.DictReader(io.StringIO(files[".beside.csv"].read_text())))
    told = {(line["line"], line["figure"]): float(line["value"]) for line in beside}
    assert told == {(line.name, key): value.value for line in table.lines for key, value in line.figures.items()}
    assert [line["figures"] for line in parsed["lines"]] == [
        {key: asdict(figure) for key, figure in line.figures.items()} for line in table.lines
    ]
    for content in (files[".md"].read_text(), files[".tex"].read_text()):
        for row in table.rows:
            for column in COLUMNS:
                assert column.show(row.figures.get(column.key)).replace("–", "") in content
    widths = {
        len(line) for line in files[".md"].read_text().split("\n\n")[-1].strip().splitlines() if ":--" not in line
    }
    assert len(widths) == 1  # aligned
    assert files[".png"].read_bytes().startswith(b"\x89PNG")


def test_block_three_says_what_models_do_beside_sampling() -> None:
    table = build(skilled(), HERE)
    made = {section.key: grid for section, grid in text.sections(table.lines)}
    assert made["compression"][1:] == [
        ["raw pixels", "–", "–", "–", "0.900", "0.930", "784"],  # what it cannot do is empty, never a zero
        ["vae", "5", "23.0", "0.900", "0.950", "0.960", "16"],
    ]
    assert made["likelihood"][1:] == [
        ["vae: ELBO", "1.250", "–", "reconstruction 1.0000 + KL 0.2500"],
        ["vae: importance-weighted, 64 draws", "1.200", "0.010", ""],
    ]
    assert made["denoising"][1:] == [["vae: noise 0.5", "8.0", "17.0", "0.400", "0.800"]]
    assert [row.name for row in table.rows] == [row.name for row in build(lecture(), HERE).rows]


def test_block_three_is_left_out_where_nothing_was_measured() -> None:
    assert text.sections(build(lecture(), HERE).lines) == []
    assert not any(section.title in render.markdown(build(lecture(), HERE)) for section in SECTIONS)


def test_abilities_measured_by_two_protocols_are_refused() -> None:
    runs = skilled()
    runs[1].abilities = ability("reconstruct", {"mse": 0.1, "psnr": 10.0, "ssim": 0.5}, images=100)
    with pytest.raises(
        TableError,
        match=r"of two protocols: images: 2000 vs 100; .*evaluation.samples=2000 or evaluation.samples=100",
    ):
        build(runs, HERE)


def test_results_of_two_settings_in_one_record_are_chosen_among() -> None:
    """As `bench evaluate RUN evaluation.samples=500` adds them: nothing is lost, and the table says how to choose."""
    runs = skilled()
    for one in runs[:3]:
        other = record(one.config["model"]["name"], one.family, rows={"default": figures(9, 0.9, 0.02)}, samples=500)
        one.results |= other.results
    runs[0].abilities |= ability("reconstruct", {"mse": 0.1, "psnr": 10.0, "ssim": 0.5}, images=500)
    with pytest.raises(TableError, match=r"choose with evaluation.samples=2000 or evaluation.samples=500"):
        build(runs, HERE)
    assert build(select(runs, {"samples": 2000}), HERE) == build(skilled(), HERE)
    few = build(select(runs, {"samples": 500}), HERE)
    assert {row.figures["fid"].value for row in few.rows} == {9}
    assert [(line.name, line.figures["psnr"].value) for line in few.lines] == [("vae", 10.0)]


def test_baselines_that_no_run_was_measured_with_stand_aside() -> None:
    """Raw pixels are recorded before a training, which may be of other data or other settings, or be stopped."""
    stray = record("raw pixels", "data")
    stray.run_id = "stray"
    stray.abilities = ability("encode", {"linear_probe": 0.1}, data="cifar10", train_digest="c", train_images=50_000)
    assert build([*skilled(), stray], HERE) == build(skilled(), HERE)


def test_models_of_two_settings_are_named_by_what_differs() -> None:
    short = record("vae", "autoregressive-vae", rows={"default": figures(60, 0.2, 0.02)})
    short.config["train"] = {"images": 90_000}
    table = build([*lecture(), short], HERE)
    assert [row.name for row in table.rows if row.family == "autoregressive-vae"] == [
        "vae train.images=1", "vae train.images=90000",
    ]  # fmt: skip
    assert [name for name, family in table.contenders.items() if family == "autoregressive-vae"] == [
        "vae train.images=1", "vae train.images=90000",
    ]  # fmt: skip


def test_block_three_has_means_over_seeds() -> None:
    first, second = skilled()[0], skilled()[0]
    second.run_id, second.config["seed"] = "vae-1", 1
    next(iter(second.abilities.values())).figures["mse"] = 0.007
    (line,) = (line for line in build([first, second], HERE).lines if line.section == "compression")
    assert line.seeds == 2
    assert line.figures["mse"].value == pytest.approx(6)
    low, high = line.figures["mse"].interval or (0, 0)
    assert (low, high) == pytest.approx((0, 6 + half_width([5.0, 7.0])))  # no error is below 0


def test_a_stamp_stands_in_every_form(tmp_path: Path) -> None:
    runs = skilled()
    for one in runs:
        one.config |= {"stamp": "smoke run: too short to mean anything", "preset": "smoke"}
    for file in render.write(build(runs, HERE), tmp_path):
        assert file.suffix == ".png" or "too short to mean anything" in file.read_text()


def test_columns_agree_with_the_metrics_on_what_is_better() -> None:
    better = {column.key: column.better for column in COLUMNS}
    for name, metric in METRICS.items():
        assert better[name] == metric.direction.replace("neither", "")
