"""A run that takes labels is measured at each weight of its guidance, once, and its labels are drawn at each."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.cli.main import main

LABELLED = ["model.condition=label", "evaluation.samples=256"]


@pytest.mark.slow  # it trains the judge of labels
def test_each_weight_is_a_result_a_curve_has_a_picture_and_nothing_is_measured_twice(
    finished: Callable[..., Path],
) -> None:
    finished("ddpm", *LABELLED)
    (file,) = Path("r/records").glob("ddpm-*.json")
    words = ["guidance", file.stem, "results=r", "w=[0,0.5,2]", "evaluation.samples=256", "sampler=ddim-2"]
    assert main(words) == 0
    record = json.loads(file.read_text())
    measured = {result["protocol"]["sampler"]: result for result in record["results"].values()}
    assert set(measured) >= {"ddim-2", "ddim-2-w0.5", "ddim-2-w2"}
    assert measured["ddim-2-w2"]["protocol"]["sampler_settings"]["label_guidance"] == 2.0
    assert {"class_accuracy", "cas"} <= measured["ddim-2"]["metrics"].keys()
    assert [measured[name]["timing"]["nfe"] for name in ("ddim-2", "ddim-2-w2")] == [2, 4]
    for name in ("guidance", "by-guidance", "by-label"):
        assert Path(f"r/pictures/{file.stem}/{name}.png").stat().st_size > 1000
    assert main(words) == 0
    assert json.loads(file.read_text())["results"] == record["results"]
    # figures of labels need the labels, which the same seeds draw again
    assert main(["sample", file.stem, "--n", "256", "--out", "drawn.npz", "results=r", "samplers=[ddim-2]"]) == 0
    assert main(["sample", file.stem, "--n", "4", "--label", "3", "--out", "threes.npz", "results=r"]) == 0
    assert np.bincount(np.load("drawn.npz")["arr_1"], minlength=10).min() > 5
    assert np.load("threes.npz")["arr_1"].tolist() == [3] * 4


def test_what_cannot_be_guided_is_one_sentence(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("gan")
    (file,) = Path("r/records").glob("gan-*.json")
    capsys.readouterr()
    assert main(["guidance", file.stem, "results=r"]) == 2
    assert "model=gan: its samplers have no guidance by labels; those of ddpm, flow_matching have" in (
        capsys.readouterr().err
    )
    for label, said in (("3", "--label=3: gan was trained without labels"),):
        assert main(["sample", file.stem, "--label", label, "results=r"]) == 2
        assert said in capsys.readouterr().err
