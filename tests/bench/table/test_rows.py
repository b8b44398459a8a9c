"""A row has the figures of one model under one sampler, and names the figures that it lacks."""

from pathlib import Path
from typing import Any

import pytest

from bench.results.records import Record
from bench.table import render, text
from bench.table.build import build
from bench.table.rules import SPEED
from tests.bench.records import MACHINE, figures, lecture, over_two_seeds, protocol, record

HERE = Path("results")


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


def test_a_figure_that_a_seed_lacks_is_named() -> None:
    runs = [record("gan", "gan", seed, {"default": figures(4.0 + seed, 0.4, 0.03)}) for seed in (0, 1)]
    del next(iter(runs[1].results.values())).metrics["kid"]
    (row,) = build(runs, HERE).rows
    assert "kid" not in row.figures
    (said,) = row.missing
    assert said == "kid of 1 of 2 seeds only; `bench train` again completes gan-1"
    assert f"gan has no mean of {said}." in text.caption(build(runs, HERE))


def with_samplers(rows: dict[str, dict[str, Any]]) -> Record:
    return record("ddpm", "diffusion", rows={name: dict(measured) for name, measured in rows.items()})


DDPM = {"ancestral-100": figures(4, 0.9, 9, nfe=100)}


def timed_on(run: Record, cpu: str) -> Record:
    for result in run.results.values():
        result.hardware = MACHINE | {"cpu": cpu}
    return run


def test_timings_of_a_row_on_two_machines_are_left_out_by_name() -> None:
    runs = over_two_seeds(lecture())
    again = next(one for one in runs if one.run_id == "vae-0-again")
    table = build([timed_on(one, "Another CPU") if one is again else one for one in runs], HERE)
    (row,) = (row for row in table.rows if row.model == "vae")
    assert "fid" in row.figures
    assert not {"seconds_per_100", "images_per_second", "latency_ms", "peak_memory_mb"} & row.figures.keys()
    assert "nfe" in row.figures
    assert table.lecture[SPEED]["vae"].mark == "–"
    said = "vae has no mean of timings: the seeds were timed on Another CPU, 2 CPU threads and on Some CPU"
    assert said in text.caption(table)


def test_results_of_two_precisions_in_one_record_are_two_names_and_one_headline() -> None:
    run = with_samplers(DDPM)
    (result,) = run.results.values()
    other = protocol(sampler="ancestral-100", precision="bfloat16")
    run.results[other.fingerprint()] = result.model_copy(update={"protocol": other.to_dict()})
    run.precision = "bf16-mixed"
    rows = build([run], HERE).rows
    assert {(row.name, row.headline) for row in rows} == {
        ("ddpm, ancestral-100, float32", False), ("ddpm, ancestral-100, bfloat16", True),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("others", "hardware", "flagged"),
    [
        (0.2, {}, False),
        (1.3, {}, True),
        (1.3, {"cores": 16}, False),  # there are cores enough for both
        (1.3, {"threads": 1}, True),
        (1.3, {"device": "cuda", "cores": 4}, False),  # one thread calls a GPU's kernels
        (None, {}, False),
    ],
)
def test_a_timing_on_cores_that_others_needed_is_flagged(
    others: float | None, hardware: dict[str, Any], flagged: bool
) -> None:
    runs = lecture()
    (result,) = runs[0].results.values()
    result.timing["cores_of_others"] = others
    result.hardware = MACHINE | hardware
    (row,) = (row for row in build(runs, HERE).rows if row.model == "vae")
    assert row.flags == (("timed while other processes kept 1.3 of 2 cores busy",) if flagged else ())
