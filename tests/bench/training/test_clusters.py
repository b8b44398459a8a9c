"""A training learns its clusters from images that do not depend on its seed, keeps them, and refuses too many."""

import re
from pathlib import Path

import pytest
import torch

from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results.identity import run_id
from bench.results.layout import weights_of
from bench.runs.build import build_data, build_model, data_spec, load_weights, preflight
from bench.training import clusters, fit
from datamodules.base import ImageDataModule
from datamodules.stream import to_unit
from tests.bench.training.interrupted import BUDGET, Tiny

CLUSTERED = ["model=vae", "model.condition=cluster", "model.clusters=7"]


@pytest.mark.usefixtures("short")
def test_a_training_keeps_its_clusters_with_its_weights(
    data: ImageDataModule, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clusters, "LEARNED_FROM", 300)
    learned = []
    for seed in (0, 1):
        (config,) = load([*CLUSTERED, f"seed={seed}", "results=r", *BUDGET, *tiny["vae"]])
        folder = Path("r/runs") / run_id(config)
        fit.train(config, build_model(config, data_spec(data)), data, folder)
        model = build_model(config, data_spec(data))
        load_weights(model, weights_of(folder))
        assert model.clusters is not None
        learned.append(model.clusters)
    assert "clusters: 7, by k-means of the pixels of 300 training images" in capsys.readouterr().err
    assert torch.equal(learned[0].centroids, learned[1].centroids)
    assert len(learned[0](to_unit(data.train_images[:500])).unique()) == 7


def test_more_clusters_than_training_images_are_refused_before_any_training() -> None:
    (config,) = load([*CLUSTERED[:2], "model.clusters=20_000"])
    data = build_data(config)
    assert len(data.train_images) > clusters.LEARNED_FROM
    said = "model.clusters=20000: they are learned from 10,000 training images; choose fewer clusters"
    with pytest.raises(ConfigError, match=re.escape(said)):
        preflight(config, data, build_model(config, data_spec(data)))
