"""What `bench show` prints is what the record holds."""

import json
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.cli.show import BARS, POINTS, sparkline
from bench.results.records import Failure, write_failure
from tests.bench.example_results import run_id

RUN = run_id("ddpm")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_every_row_is_shown_with_the_tables_figures(example_results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", RUN, f"results={example_results}"]) == 0
    said = capsys.readouterr().out
    record = json.loads((example_results / "records" / f"{RUN}.json").read_text())
    assert record["code"]["commit"][:12] in said
    assert f"{record['images_seen']:,} images in batches of {record['config']['train']['batch']}" in said
    for result in record["results"].values():
        assert result["protocol"]["sampler"].split("-")[1] in said
        for name in ("precision", "recall", "coverage"):
            if name in result["metrics"]:
                low, high = result["intervals"][name]
                assert f"{result['metrics'][name]:.3f} ± {(high - low) / 2:.3f}" in said
    assert said.count("Measured under protocol") == 1
    (bits,) = (a["figures"] for a in record["abilities"].values() if a["protocol"]["ability"] == "bits_per_dim")
    assert f"{bits['bounds'][bits['bound']]:.3f}" in said


def test_a_ramp_is_drawn_as_every_bar_in_turn_and_what_is_no_number_as_a_gap() -> None:
    ramp = [float(k) for k in range(POINTS)]
    assert sparkline(ramp) == "".join(bar * (POINTS // len(BARS)) for bar in BARS)
    assert sparkline(ramp[::-1]) == sparkline(ramp)[::-1]
    assert sparkline([10 * value - 3 for value in ramp]) == sparkline(ramp)
    assert sparkline([value for value in ramp for _ in range(25)]) == sparkline(ramp)
    assert sparkline([2.0, 2.0]) == BARS[0] * 2
    assert sparkline([0.0, float("nan"), 1.0]) == f"{BARS[0]} {BARS[-1]}"
    assert sparkline([float("inf")]) == " "


def test_a_run_that_failed_says_its_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Failure(run_id="gan-mnist-0-12345678", config={}, code={}, cause="loss was NaN", images_seen=64)
    write_failure(failed, tmp_path)
    assert main(["show", failed.run_id, f"results={tmp_path}"]) == 2
    assert (
        capsys.readouterr().err.strip() == f"bench: {failed.run_id}: no figures, because the run failed: loss was NaN"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "ddpm"], "run=ddpm: unknown; choose from ae-mnist-0-00000000, class-missing-"),
        (["show", RUN, "seed=1"], "seed: `bench show` takes results=DIR only"),
    ],
)
def test_mistakes_end_in_one_sentence(
    words: list[str], said: str, example_results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"results={example_results}"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"bench: {said}")


def test_an_empty_folder_says_how_to_name_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", RUN, f"results={tmp_path}"]) == 2
    assert f"no records in {tmp_path}/records; name another folder with results=DIR" in capsys.readouterr().err
