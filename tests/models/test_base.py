"""What every registered model promises: a new one adds its line to CASES, and all tests here hold it to the rest."""

import copy
import functools
import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
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
every_name = pytest.mark.parametrize("name", TRAINED)
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
@pytest.mark.parametrize(
    ("shape", "deviation", "autocast"),  # every two of them together; the wild ones' outputs need a clip
    [(SHAPES[0], 0.0, False), (SHAPES[0], 2.0, True), (SHAPES[1], 0.0, True), (SHAPES[1], 2.0, False)],
    ids=["initial-float32", "wild-bfloat16", "odd-initial-bfloat16", "odd-wild-float32"],
)
def test_samples_are_images(case: Case, shape: ImageShape, deviation: float, autocast: bool) -> None:
    model = shaken(case, shape, deviation)
    model.check_sampler(**case.sampler)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        samples = draw(case, model, seed=1, n=2)
    assert samples.shape == (2, *shape)
    assert samples.dtype == torch.float32
    assert not samples.requires_grad
    assert samples.abs().max() <= 1  # which NaN fails, too


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


class Rates(L.Callback):
    """The learning rate of each of an optimizer's steps, by the optimizer's index."""

    def __init__(self) -> None:
        self.seen: dict[int, list[float]] = {}

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        index = next(i for i, known in enumerate(trainer.optimizers) if known is optimizer)
        self.seen.setdefault(index, []).append(optimizer.param_groups[0]["lr"])


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


@dataclass
class Training:
    """What is seen of a training of twelve small batches, the last of which is larger; not to be changed."""

    model: GenerativeModel
    before: dict[str, torch.nn.Parameter]
    gradients: dict[str, float]
    rates: dict[int, list[float]]
    last_rates: list[float]
    rows: list[dict[str, float]]
    checkpoint: Path


SIZES = [2] * 11 + [3]
SEEN_BEFORE = 2**25 + 1  # which float32 does not have


@pytest.fixture(scope="module")
def training(
    fit: Callable[..., L.Trainer], toy_batches: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, ImageShape], Training]:
    """A function: a case's name and a shape -> its training, which the checks share."""

    @functools.cache
    def train(name: str, shape: ImageShape) -> Training:
        torch.manual_seed(0)
        model = build(TRAINED[name], shape)
        model.images_seen = SEEN_BEFORE
        before = copy.deepcopy(dict(model.named_parameters()))
        gradients, rates, curves = Gradients(), Rates(), Curves()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("models.base.LOG_EVERY", 2)
            batches = [batch for size in SIZES for batch in toy_batches(shape, count=1, size=size)]
            trainer = fit(model, batches, gradients, rates, logger=curves, log_every_n_steps=2)
        checkpoint = tmp_path_factory.mktemp(name) / "model.ckpt"
        trainer.save_checkpoint(checkpoint)
        last = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
        return Training(model, before, gradients.largest, rates.seen, last, curves.rows, checkpoint)

    return train


@every_name
@pytest.mark.parametrize("shape", [SHAPES[0], ODD], ids=str)
def test_a_checkpoint_holds_all_that_sampling_needs(
    name: str, shape: ImageShape, training: Callable[[str, ImageShape], Training]
) -> None:
    seen, case = training(name, shape), TRAINED[name]
    fresh = build(case, shape)
    untrained = draw(case, fresh, seed=3)
    checkpoint = torch.load(seen.checkpoint, weights_only=True)
    fresh.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(draw(case, fresh, seed=3), draw(case, seen.model, seed=3))
    assert not torch.equal(draw(case, fresh, seed=3), untrained)
    fresh.on_load_checkpoint(checkpoint)
    assert fresh.images_seen == seen.model.images_seen == SEEN_BEFORE + sum(SIZES)


@every_name
@pytest.mark.parametrize("shape", [SHAPES[0], ODD], ids=str)
def test_every_parameter_learns(name: str, shape: ImageShape, training: Callable[[str, ImageShape], Training]) -> None:
    """Over a few steps, since the layers that start at zero hold back their predecessors' first gradients."""
    seen = training(name, shape)
    assert set(seen.gradients) == set(seen.before), "every parameter has an optimizer"
    assert not [name for name, largest in seen.gradients.items() if largest < 1e-6]
    assert not [name for name, parameter in seen.model.named_parameters() if torch.equal(parameter, seen.before[name])]


@every_name
def test_images_seen_counts_every_image_once(
    name: str, training: Callable[[str, ImageShape], Training], fit: Callable[..., L.Trainer], toy_batches: Any
) -> None:
    """However many optimizers step, in batches of any size, and on from a checkpoint."""
    seen = training(name, ODD)
    assert seen.model.images_seen == SEEN_BEFORE + sum(SIZES)
    resumed = build(TRAINED[name], ODD)
    batches = [*toy_batches(ODD, count=1), *toy_batches(ODD, count=1, size=3)]
    fit(resumed, batches, ckpt_path=seen.checkpoint, max_epochs=2)
    assert resumed.images_seen == SEEN_BEFORE + sum(SIZES) + 4 + 3


@every_name
def test_every_rate_falls_to_zero_by_a_half_cosine(name: str, training: Callable[[str, ImageShape], Training]) -> None:
    seen, case, batches = training(name, ODD), TRAINED[name], len(SIZES)
    peak = seen.model.learning_rate * (RATIO if seen.model.optimizer_name == "muon" else 1)  # of the first group
    assert len(seen.rates) == len(seen.last_rates)
    for rates in seen.rates.values():
        assert len(rates) == batches
        for batch, rate in enumerate(rates):
            rise = min(1.0, (batch + 1) / case.warmup) if case.warmup else 1.0
            assert rate == pytest.approx(rise * peak * math.cos(math.pi * batch / batches / 2) ** 2)
    assert seen.last_rates == pytest.approx([0.0] * len(seen.last_rates), abs=1e-15)


@every_name
def test_losses_are_logged_against_images_seen(name: str, training: Callable[[str, ImageShape], Training]) -> None:
    """On just the batches that Lightning writes, whose count a second optimizer does not disturb; to the image."""
    losses = [row for row in training(name, ODD).rows if "train/loss" in row]
    assert [row["images_seen"] - SEEN_BEFORE for row in losses] == [4, 8, 12, 16, 20, sum(SIZES)]
    assert all(math.isfinite(value) for row in losses for value in row.values())


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
