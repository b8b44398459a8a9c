"""What every registered model promises: a new one adds its line to CASES, and all tests here hold it to the rest."""

import copy
import inspect
import math
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import Logger
from omegaconf import OmegaConf
from torch import Tensor

from bench.runs import contract
from bench.runs.contract import SAMPLING
from models import MODELS
from models.base import FAMILIES, GenerativeModel, ImageShape
from models.muon import RATIO
from tests.models.cases import CASES, ODD, POINT, SHAPES, TRAINED, Case, build

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_training = pytest.mark.parametrize("case", TRAINED.values(), ids=TRAINED)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_model = pytest.mark.parametrize(("name", "model"), MODELS.items(), ids=MODELS)


def shaken(case: Case, shape: ImageShape, deviation: float = 0.1) -> GenerativeModel:
    return contract.shaken(build(case, shape), deviation)


def draw(case: Case, model: GenerativeModel, seed: int, n: int = 3) -> Tensor:
    return model.sample(n, torch.Generator().manual_seed(seed), **case.sampler)


def constructor_arguments(model: type[GenerativeModel]) -> set[str]:
    parameters = inspect.signature(model).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def test_no_registered_model_is_missing_here() -> None:
    assert {case.model for case in CASES.values()} == set(MODELS)


@every_case
@every_shape
@pytest.mark.parametrize("check", SAMPLING.values(), ids=SAMPLING)
def test_sampling_keeps_the_contract(check: Any, case: Case, shape: ImageShape) -> None:
    """The checks of `bench check`."""
    check(shaken(case, shape), case.sampler)


@every_case
@every_shape
def test_a_sample_takes_as_many_passes_as_its_sampler_should(case: Case, shape: ImageShape) -> None:
    passes = case.passes(shape) if callable(case.passes) else case.passes
    assert build(case, shape).passes(**case.sampler) == passes


@every_case
@every_shape
@pytest.mark.parametrize("deviation", [0.0, 2.0], ids=["initial", "wild"])  # the wild ones' outputs need a clip
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_samples_are_images(case: Case, shape: ImageShape, deviation: float, autocast: bool) -> None:
    model = shaken(case, shape, deviation)
    model.check_sampler(**case.sampler)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        samples = draw(case, model, seed=1, n=2)
    assert samples.shape == (2, *shape)
    assert samples.dtype == torch.float32
    assert not samples.requires_grad
    assert samples.abs().max() <= 1  # which NaN fails, too


@every_training
@every_shape
def test_a_checkpoint_holds_all_that_sampling_needs(
    case: Case, shape: ImageShape, fit: Callable[..., L.Trainer], toy_batches: Any, tmp_path: Path
) -> None:
    model = build(case, shape)
    trainer = fit(model, toy_batches(shape, count=2))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    fresh = build(case, shape)
    untrained = draw(case, fresh, seed=3)
    checkpoint = torch.load(tmp_path / "model.ckpt", weights_only=True)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(draw(case, fresh, seed=3), draw(case, model, seed=3))
    assert not torch.equal(draw(case, fresh, seed=3), untrained)
    fresh.on_load_checkpoint(checkpoint)
    assert fresh.images_seen == model.images_seen == 8


class Gradients(L.Callback):
    """The largest absolute gradient that any step of its optimizer finds on each parameter."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        mine = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for name, parameter in pl_module.named_parameters():
            if id(parameter) in mine:
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name
                self.largest[name] = max(self.largest.get(name, 0.0), float(parameter.grad.abs().max()))


@every_training
@every_shape
def test_every_parameter_learns(case: Case, shape: ImageShape, fit: Callable[..., L.Trainer], toy_batches: Any) -> None:
    """Over a few steps, since the layers that start at zero hold back their predecessors' first gradients."""
    model = build(case, shape)
    before = copy.deepcopy(dict(model.named_parameters()))
    gradients = Gradients()
    fit(model, toy_batches(shape, count=8, size=2), gradients)
    assert set(gradients.largest) == set(before), "every parameter has an optimizer"
    assert not [name for name, largest in gradients.largest.items() if largest < 1e-6]
    assert not [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]


@every_training
def test_images_seen_counts_every_image_once(
    case: Case, fit: Callable[..., L.Trainer], toy_batches: Any, tmp_path: Path
) -> None:
    """However many optimizers step, in partial batches as in whole ones, and on from a checkpoint."""
    batches = [*toy_batches(ODD, count=2), *toy_batches(ODD, count=1, size=3)]
    model = build(case, ODD)
    trainer = fit(model, batches)
    assert model.images_seen == 4 + 4 + 3
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    resumed = build(case, ODD)
    fit(resumed, batches, ckpt_path=tmp_path / "model.ckpt", max_epochs=2)
    assert resumed.images_seen == 2 * (4 + 4 + 3)


@every_training
def test_images_seen_counts_the_batches_of_all_ranks(
    case: Case, toy_batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class World:
        world_size = 8

    model = build(case, ODD)
    monkeypatch.setattr(GenerativeModel, "trainer", World())
    for index, batch in enumerate(toy_batches(ODD, count=2)):
        model.on_train_batch_start(batch, index)
    assert model.images_seen == 8 * (4 + 4)


@every_training
def test_vectors_are_images_of_one_pixel(case: Case, fit: Callable[..., L.Trainer]) -> None:
    """Also at values between the 8-bit levels: what takes them trains on them and samples others."""
    if not case.points:
        with pytest.raises(ValueError, match="points"):
            build(case, POINT)
        return
    model = build(case, POINT)
    batches = [(1.6 * torch.rand(8, *POINT) - 0.8, torch.zeros(8, dtype=torch.int64)) for _ in range(2)]
    before = copy.deepcopy(dict(model.named_parameters()))
    fit(model, batches)
    assert any(not torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    samples = draw(case, model, seed=1, n=16)
    assert samples.shape == (16, *POINT)
    assert samples.abs().max() <= 1
    assert len(samples.unique(dim=0)) > 1


class Rates(L.Callback):
    """The learning rate of each of an optimizer's steps, by the optimizer's index."""

    def __init__(self) -> None:
        self.seen: dict[int, list[float]] = {}

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        index = next(i for i, known in enumerate(trainer.optimizers) if known is optimizer)
        self.seen.setdefault(index, []).append(optimizer.param_groups[0]["lr"])


@every_training
def test_every_rate_falls_to_zero_by_a_half_cosine(case: Case, fit: Callable[..., L.Trainer], toy_batches: Any) -> None:
    model, batches, rates = build(case, ODD), 12, Rates()
    trainer = fit(model, toy_batches(ODD, count=batches, size=2), rates)
    peak = model.learning_rate * (RATIO if model.optimizer_name == "muon" else 1)  # of the first group
    assert len(rates.seen) == len(trainer.optimizers)
    for seen in rates.seen.values():
        assert len(seen) == batches
        for batch, rate in enumerate(seen):
            rise = min(1.0, (batch + 1) / case.warmup) if case.warmup else 1.0
            assert rate == pytest.approx(rise * peak * math.cos(math.pi * batch / batches / 2) ** 2)
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == pytest.approx(
        [0.0] * len(trainer.optimizers), abs=1e-15
    )


class Curves(Logger):
    """A logger that keeps what it is given."""

    name, version = "curves", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append(dict(metrics))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


@every_training
def test_losses_are_logged_against_images_seen(
    case: Case, fit: Callable[..., L.Trainer], toy_batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On just the batches that Lightning writes, whose count a second optimizer does not disturb; to the image."""
    monkeypatch.setattr("models.base.LOG_EVERY", 2)
    curves = Curves()
    model, before = build(case, ODD), 2**25 + 1  # which float32 does not have
    model.images_seen = before
    fit(model, toy_batches(ODD, count=6), logger=curves, log_every_n_steps=2)
    losses = [row for row in curves.rows if "train/loss" in row]
    assert [row["images_seen"] - before for row in losses] == [8, 16, 24]
    assert all(math.isfinite(value) for row in losses for value in row.values())


@every_model
def test_a_constructor_is_documented(name: str, model: type[GenerativeModel]) -> None:
    documented = set(re.findall(r"\w+", model.__doc__ or ""))
    assert constructor_arguments(model) - documented == set()
    assert "arXiv:" in (model.__doc__ or ""), "the source is cited"


@every_model
def test_a_yaml_states_every_argument_of_its_constructor(name: str, model: type[GenerativeModel]) -> None:
    stated = OmegaConf.create(resources.files("configs").joinpath("model").joinpath(f"{name}.yaml").read_text())
    assert set(stated.model) == constructor_arguments(model)


def test_every_yaml_has_its_model() -> None:
    files = [Path(file.name) for file in resources.files("configs").joinpath("model").iterdir()]
    assert {file.stem for file in files if file.suffix == ".yaml"} == set(MODELS)


@every_model
def test_a_model_is_of_a_family_that_the_table_knows(name: str, model: type[GenerativeModel]) -> None:
    assert model.family in FAMILIES


@every_case
def test_the_counted_networks_are_part_of_the_model(case: Case) -> None:
    model = build(case, ODD)
    assert model.networks
    assert {id(network) for network in model.networks} <= {id(module) for module in model.modules()}
