"""Real images obey the captions that are made of them, and a run with captions records which words its samples obey."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.cli.main import main
from bench.runs.words import captions_of, words
from datamodules.base import Split
from models.base import DataSpec
from models.captions import all_orders, described, digits_of, draws, held_out_combinations, label_of, phrased, read
from models.ddpm import DDPM
from models.strokes import strokes, thirds

WORDS = {"digit_words", "attribute_words", "new_digit_words", "new_attribute_words", "reordered_words"}


def test_captions_made_of_images_are_obeyed_by_them_and_not_by_others(few_digits: tuple[Split, Split]) -> None:
    train, _ = few_digits
    index = torch.randint(len(train.images), (600, 3), generator=torch.Generator().manual_seed(0))
    images, digits = train.images[:, 0][index], train.labels[index]
    labels = digits @ torch.tensor([100, 10, 1])
    assert torch.equal(digits_of(labels, 3), digits)
    u = torch.rand(600, draws(3), generator=torch.Generator().manual_seed(1))
    said = described(digits, thirds(strokes(images / 127.5 - 1), digits), u)
    tokens = phrased(said, u, all_orders(3))
    own = words(tokens, images, labels)
    spoken = own.said >= 0
    assert torch.equal(own.said[spoken], own.seen[spoken])
    assert torch.equal(own.new_combination, held_out_combinations(1000)[label_of(said)])
    assert torch.equal(own.new_order, read(tokens)[1])
    others = words(tokens, images.flip(0), labels.flip(0))
    right = (others.said == others.seen) & spoken
    assert right[:, own.digits].double().mean() < 0.2
    assert abs((right[:, ~own.digits].sum() / spoken[:, ~own.digits].sum()).item() - 1 / 3) < 0.07  # of three thirds


def test_a_model_without_captions_has_none() -> None:
    assert captions_of(DDPM(DataSpec((1, 8, 8), (0.1,) * 10), T=10, channels=[8], condition="label")) is None
    assert captions_of(DDPM(DataSpec((1, 8, 8), (0.1,) * 10), T=10, channels=[8], condition="text")) is not None


def test_a_run_with_captions_records_words_draws_by_a_caption_and_refuses_others(
    small_mnist: Path, tiny_run: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("bench.runs.context.CACHE", small_mnist / "cache")  # of a judge that has learned little
    monkeypatch.setattr("bench.evaluation.features.judge.PASSES", 640)
    monkeypatch.setattr("bench.evaluation.metrics.labels.CAS_PASSES", 640)
    assert main(tiny_run("ddpm", "model.condition=text")) == 0
    (file,) = Path("r/records").glob("ddpm-*.json")
    (result,) = json.loads(file.read_text())["results"].values()
    assert result["versions"].keys() >= WORDS
    assert result["metrics"].keys() >= WORDS - {"reordered_words"}  # one channel has one order
    capsys.readouterr()
    command = ["sample", file.stem, "results=r", "--n", "3"]
    assert main([*command, "--caption", "a thick crimson seven"]) == 0
    drawn = Path(f"r/samples/{file.stem}-ddim-10-a-thick-crimson-seven")
    assert len(list(drawn.glob("*.png"))) == 3
    assert drawn.with_name(f"{drawn.name}.grid.png").is_file()
    assert main([*command, "--caption", "a red seven", "--out", "sevens.npz"]) == 0
    assert np.load("sevens.npz")["arr_1"].tolist() == [7, 7, 7]
    capsys.readouterr()
    for text, said in (
        ("a red sevn", "--caption: 'sevn' is no word of the captions; the nearest is 'seven'"),
        ("", "--caption: the caption is empty; write one such as"),
    ):
        assert main([*command, "--out", "x.npz", "--caption", text]) == 2
        assert said in capsys.readouterr().err
    assert main([*command, "--out", "x.npz", "--caption", "a red one", "--label", "1"]) == 2
    assert "--caption: names the digits already; leave --label=1 out" in capsys.readouterr().err
    assert not Path("x.npz").exists()


def test_a_caption_for_a_model_without_captions_is_one_sentence(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("gan")
    (file,) = Path("r/records").glob("gan-*.json")
    assert main(["sample", file.stem, "results=r", "--caption", "a red one"]) == 2
    assert "--caption: gan was trained without captions; train a ddpm with model.condition=text" in (
        capsys.readouterr().err
    )
