"""`bench guidance RUN`: evaluate a run of a model that takes labels at several weights of its guidance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, NonNegativeFloat

from bench.config.components import configured
from bench.config.devices import sampling_device
from bench.config.load import GUIDED, results_folder
from bench.config.schema import Config, ConfigError, Section, arguments, conditional
from bench.evaluation.keys import seeded
from bench.plots.image_grid import Sheet, save
from bench.plots.model_pictures import evenly, to_uint8
from bench.results.layout import ResultsFolder
from bench.runs.build import build_data, build_model, data_spec, is_images, load_weights
from bench.runs.reproduce import changes_of, own_settings, recorded_config, reevaluate
from bench.runtime import ranks
from bench.runtime.console import console
from models import MODELS

MOST = 10  # labels that are drawn


class Weights(Section):
    """What `bench guidance` takes beside the settings of `bench evaluate`. sampler: without a weight at its end."""

    w: list[NonNegativeFloat] = Field(default=[0.0, 0.25, 0.5, 1.0, 2.0, 4.0], min_length=1)
    sampler: str | None = None  # None: the one that represents the model


def measure_guidance(run: str, overrides: Sequence[str]) -> None:
    """Evaluate a trained run by one sampler at each weight, extend its record, and draw its labels at each weight."""
    asked, others = own_settings(overrides, Weights)
    results = results_folder(others)
    changes = changes_of(run, results, others)[1]
    record, config, weights = recorded_config(run, results, {**changes, "results": str(results)})
    check_guided(config)
    base = asked.sampler or record.config["headline"] or next(iter(config.samplers))
    if GUIDED.fullmatch(base):
        raise ConfigError(f"sampler={base}: has a weight of its own; name it without, and the weights by w=[...]")
    names = [f"{base}-w{w:g}" if w else base for w in sorted(set(asked.w))]
    reevaluate(run, [f"samplers=[{','.join(names)}]", *others])
    settings = recorded_config(run, results, {**changes, "samplers": names, "results": str(results)})[1].samplers
    draw(config, weights, {name: settings[name] for name in names}, ResultsFolder(results).pictures(run))


def check_guided(config: Config) -> None:
    """Raise ConfigError for a run whose samplers have no guidance by labels."""
    name = config.model["name"]
    if "label_guidance" not in arguments(configured("model", config).load().sample).model_fields:
        guided = [model for model in MODELS if "label_guidance" in arguments(MODELS[model].sample).model_fields]
        raise ConfigError(f"model={name}: its samplers have no guidance by labels; those of {', '.join(guided)} have")
    if not conditional(config.model):
        raise ConfigError(f"model={name}: the run was trained without labels; train one with model.condition=label")


def draw(config: Config, weights: Path, samplers: dict[str, dict[str, object]], folder: Path) -> None:
    """Draw one sample of each label, a column, at each weight, a row, from the same noise."""
    data = build_data(config)
    if not is_images(data):
        return
    model: Any = build_model(config, data_spec(data))
    load_weights(model, weights)
    model.to(sampling_device(config)).eval()
    labels = torch.tensor(evenly(model.classes - 1, MOST), device=model.device)
    rows = []
    for settings in samplers.values():
        generator = seeded(model.device, "pictures", config.evaluation.seed)
        rows.append(to_uint8(model.sample_given(labels, generator, **settings)))
    heights = [f"w = {settings.get('label_guidance', 0):g}" for settings in samplers.values()]
    file = folder / "by-guidance.png"
    sheet = Sheet(torch.stack(rows), heights, [str(int(label)) for label in labels])
    ranks.on_first(lambda: save(sheet, file))
    console.print(f"  drawn: {file}")
