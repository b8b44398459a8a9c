"""The contract of a model as checks, for `bench check` and for the tests of the suite's own models."""

import copy
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from bench.config.components import configured
from bench.config.schema import Config, arguments, samplers
from bench.evaluation.passes import counted_passes
from bench.evaluation.tasks.measures import Task
from bench.evaluation.tasks.registry import ABILITIES, resolve
from bench.plots import model_pictures
from bench.results.layout import checkpoints_of, weights_of
from bench.runs.build import build_model, data_spec, is_images
from bench.runtime.console import console
from bench.runtime.errors import cause
from bench.training.callbacks import callback
from bench.training.checkpoints import Checkpoints
from bench.training.fit import Interrupted, build_trainer, fit
from bench.training.resume import Origin
from datamodules.base import ImageDataModule
from models.base import LOG_EVERY, GenerativeModel

BATCHES, FEW = LOG_EVERY + 4, 6  # of a training, and of one of a model whose batches are slow
SLOW = 0.15  # seconds a batch
WILD = 2.0  # deviation of weights whose samples need a clip
STRANGE = (-1, 0, 10**6)  # values of a sampler's whole numbers that few samplers can work with
HELD_OUT, LABELLED, DRAWN = 32, 200, 500  # images of the abilities' tasks, and of the pictures
STOPPED = 2  # any number of a signal: the training is stopped as by Ctrl-C


class Broken(AssertionError):
    """A promise of the contract that a model does not keep; the message is one sentence."""


def require(kept: object, problem: str) -> None:
    """Raise Broken with the problem unless the promise is kept."""
    if not kept:
        raise Broken(problem)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shaken(model: GenerativeModel, deviation: float = 0.1) -> GenerativeModel:
    """Move all of a model's weights, so that layers which start at zero take part; return the model."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(deviation * torch.randn_like(parameter))
    return model


def check_images(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """Samples are n x C x H x W, float32, in [-1, 1], without a gradient, for one image as for several."""
    for n in (1, 2):
        samples = model.sample(n, seeded(1), **settings)
        require(isinstance(samples, Tensor), f"sample returns {type(samples).__name__}, no tensor")
        shape = (n, *model.image_shape)
        require(samples.shape == shape, f"sample({n}, ...) returns the shape {tuple(samples.shape)}, not {shape}")
        require(samples.dtype == torch.float32, f"samples are {samples.dtype}, not torch.float32; decorate @sampling")
        require(not samples.requires_grad, "samples carry a gradient; decorate sample with @sampling")
        largest = float(samples.abs().max())
        require(largest <= 1, f"samples reach {largest:.4g}, outside [-1, 1]; decorate sample with @sampling")


def check_generator(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """The generator alone decides the samples, and is used up as they are drawn."""
    generator = seeded(1)
    torch.manual_seed(0)
    first = model.sample(3, generator, **settings)
    torch.manual_seed(99)  # which must not matter
    again = model.sample(3, seeded(1), **settings)
    require(torch.equal(first, again), "equal generators give different samples; draw all noise with `noise`")
    other = model.sample(3, seeded(2), **settings)
    require(not torch.equal(first, other), "generators of different seeds give equal samples")
    following = model.sample(3, generator, **settings)
    require(not torch.equal(first, following), "a generator that was used gives the same samples again")
    require(not torch.equal(first[0], first[1]), "two images of one call are equal")


def check_no_trace(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """Sampling runs in evaluation mode, restores the mode, and changes no weight, buffer, gradient or random state."""
    check_no_trace_in(model.train(), settings)
    check_no_trace_in(model.eval(), settings)


def check_no_trace_in(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """The same of a model in the mode that it is in."""
    training, state, random = model.training, copy.deepcopy(model.state_dict()), torch.get_rng_state()
    wanted = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    modes: list[bool] = []
    hooks = [
        network.register_forward_hook(lambda network, *_: modes.append(network.training)) for network in model.networks
    ]
    model.sample(2, seeded(1), **settings)
    for hook in hooks:
        hook.remove()
    require(not any(modes), "a network samples in training mode; decorate sample with @sampling")
    restored = all(module.training is training for module in model.modules())
    require(restored, "sample leaves the model in another mode; decorate it with @sampling")
    require(torch.equal(random, torch.get_rng_state()), "sample draws from torch's global random numbers")
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, state[name])]
    require(not changed, f"sample changes {', '.join(changed)}")
    graded = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None or parameter.requires_grad is not wanted[name]
    ]
    require(not graded, f"sample changes gradients of {', '.join(graded)}")
    require(torch.is_grad_enabled(), "sample leaves gradients disabled")


def check_passes(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """`networks` are modules of the model, and evaluated for each image of a sample as often as `passes` says."""
    require(isinstance(model.networks, tuple) and model.networks, "networks is no tuple with a module in it")
    own = {id(module) for module in model.modules()}
    require(all(isinstance(network, nn.Module) for network in model.networks), "networks holds what is no nn.Module")
    require({id(network) for network in model.networks} <= own, "networks holds a module that is not the model's")
    passes: list[int] = []
    with counted_passes(model.networks, passes.append):
        model.sample(2, seeded(1), **settings)
    stated, found = model.passes(**settings), sum(passes) / 2
    require(stated == found, f"an image takes {found:g} evaluations of the networks, but passes() says {stated}")


def check_settings(model: GenerativeModel, settings: Mapping[str, Any]) -> None:
    """`check_sampler` takes these settings, and takes or refuses strange ones by ValueError in one sentence."""
    try:
        model.check_sampler(**settings)
    except ValueError as error:
        raise Broken(f"check_sampler refuses {dict(settings)}: {error}") from None
    schema = arguments(type(model).sample)
    whole = [name for name, field in schema.model_fields.items() if "int" in str(field.annotation)]
    for name, value in ((name, value) for name in whole for value in STRANGE):
        try:
            accepted = schema(**{**settings, name: value})
        except ValueError:  # refused by its type
            continue
        try:
            model.check_sampler(**accepted.model_dump(exclude_unset=True))
        except ValueError as error:
            require(str(error).strip() and "\n" not in str(error).strip(), f"{name}={value} is refused in no sentence")
        except Exception as error:
            raise Broken(f"check_sampler raises {cause(error)} for {name}={value}; raise ValueError") from error


SAMPLING: dict[str, Callable[[GenerativeModel, Mapping[str, Any]], None]] = {
    "samples are images in [-1, 1]": check_images,
    "the generator alone decides the samples": check_generator,
    "sampling leaves no trace": check_no_trace,
    "passes of the networks are as stated": check_passes,
    "settings of the samplers are checked": check_settings,
}


@dataclass(frozen=True)
class Subject:
    """A configuration whose model is checked, with its data and a folder for its trainings."""

    config: Config
    data: ImageDataModule
    folder: Path

    def build(self) -> GenerativeModel:
        return build_model(self.config, data_spec(self.data))

    def train(self, name: str, *observers: L.Callback) -> GenerativeModel:
        """Train in the folder `name`, from the checkpoint there if there is one; Interrupted if it was stopped."""
        model = self.build()
        origin = Origin(self.config, self.data, self.config.trainer.precision)
        trainer = build_trainer(self.config, model, self.folder / name, [origin], observers)
        fit(self.config, model, self.data, trainer, self.folder / name)
        return model.to("cpu")

    def shortened(self, batches: int) -> "Subject":
        """Return the same with a training of so many batches."""
        train = self.config.train.model_copy(update={"images": batches * self.config.train.batch})
        self.data.images = train.images
        return Subject(self.config.model_copy(update={"train": train}), self.data, self.folder)


class Steps(L.Callback):
    """Keep which parameters a gradient reaches, refuse what is not finite, and stop after `stop` batches."""

    def __init__(self, stop: int = 0) -> None:
        self.stop = stop
        self.updated: set[str] = set()

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: Any, optimizer: torch.optim.Optimizer) -> None:
        own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for name, parameter in pl_module.named_parameters():
            if id(parameter) in own and parameter.grad is not None:
                self.updated.add(name)
                require(parameter.grad.isfinite().all(), f"the gradient of {name} is NaN or infinite")

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            require(loss.isfinite().all(), f"the loss of a batch is {float(loss):g}")
        if batch_idx + 1 == self.stop:
            callback(trainer, Checkpoints).number = STOPPED


def check_weights(subject: Subject) -> None:
    """Equal seeds build equal models."""
    first, again = (subject.build().state_dict() for _ in range(2))
    changed = [name for name, value in first.items() if not torch.equal(value, again[name])]
    require(not changed, f"two models of one seed differ in {', '.join(changed)}")


def check_sampling(check: Callable[[GenerativeModel, Mapping[str, Any]], None], subject: Subject) -> None:
    """Apply a check of sampling to every sampler of the configuration, with weights that were moved."""
    for name, settings in samplers(subject.config).items():
        try:
            check(shaken(subject.build()), settings)
            if check is check_images:
                check(shaken(subject.build(), WILD), settings)
        except Broken as error:
            raise Broken(f"{error} (sampler {name})" if name != "default" else str(error)) from None


def check_training(subject: Subject) -> None:
    """A few batches have finite losses and gradients, and every parameter that can be trained gets a gradient."""
    steps = Steps()
    model = subject.shortened(FEW).train("few", steps)
    idle = [name for name, part in model.named_parameters() if part.requires_grad and name not in steps.updated]
    require(
        not idle,
        f"no gradient or no optimizer reaches {', '.join(idle)}, which training on several ranks needs; "
        "use each, or set requires_grad = False",
    )
    expected = FEW * subject.config.train.batch
    require(model.images_seen == expected, f"images_seen is {model.images_seen} after {expected} images")


def check_resuming(subject: Subject) -> None:
    """A training that is stopped and resumed has the weights, to the bit, of one that was left alone."""
    start = time.monotonic()
    subject.shortened(FEW).train("timed")
    batches = BATCHES if (time.monotonic() - start) / FEW < SLOW else FEW
    whole = subject.shortened(batches)
    whole.train("whole")
    try:
        whole.train("broken", Steps(stop=batches // 2))
        raise AssertionError("the training was not stopped")
    except Interrupted:
        require([*checkpoints_of(subject.folder / "broken").glob("*.ckpt")], "a stopped training leaves no checkpoint")
    whole.train("broken")
    left_alone, resumed = (
        torch.load(weights_of(subject.folder / name), weights_only=True)["state_dict"] for name in ("whole", "broken")
    )
    changed = [name for name, value in left_alone.items() if not torch.equal(value, resumed[name])]
    require(
        not changed,
        f"a resumed training differs from one that was left alone in {', '.join(changed)}; keep all state in buffers "
        "or in on_save_checkpoint, and draw from torch's random numbers only",
    )


def check_checkpoint(subject: Subject) -> None:
    """A fresh model with the weights of a checkpoint samples what the trained model does."""
    trained, fresh = subject.shortened(FEW).train("kept"), subject.build()
    state = torch.load(weights_of(subject.folder / "kept"), weights_only=True)["state_dict"]
    try:
        fresh.load_state_dict(state)
    except RuntimeError as error:
        raise Broken(f"a fresh model does not load a checkpoint: {' '.join(str(error).split())}") from None
    for settings in samplers(subject.config).values():
        pair = [model.sample(2, seeded(3), **settings) for model in (trained, fresh)]
        require(torch.equal(*pair), "a fresh model with the checkpoint's weights samples other images; use buffers")


def check_abilities(subject: Subject) -> None:
    """Each ability beside sampling is whole, and gives finite figures and pictures."""
    model, data = shaken(subject.build()), subject.data
    for name, entry in ABILITIES.items():
        whole = not entry.offered_by(type(model)) or isinstance(model, resolve(entry.protocol))
        require(whole, f"has the methods of {name}, but not the attributes that models.protocols asks for")
    if not is_images(data):
        return
    model.eval()
    task = Task(
        data.test_images[:HELD_OUT], data.test_labels[:HELD_OUT], data.train_images[:LABELLED],
        data.train_labels[:LABELLED], 0, HELD_OUT, torch.device("cpu"),
    )  # fmt: skip
    for name, entry in ABILITIES.items():
        if entry.had_by(model) and not (entry.labelled and len(task.train_labels.unique()) < 2):
            figures = entry.figures(model, task)
            require(all(map(math.isfinite, numbers(figures))), f"{name} gives figures that are NaN or infinite")
    model_pictures.draw(model, data.test_images[:DRAWN], data.test_labels[:DRAWN], subject.folder, seed=0)


def numbers(figures: Any) -> Iterator[float]:
    """Yield every number of nested dicts and lists."""
    if isinstance(figures, Mapping | list | tuple):
        for part in figures.values() if isinstance(figures, Mapping) else figures:
            yield from numbers(part)
    elif isinstance(figures, int | float):
        yield figures


CHECKS: dict[str, Callable[[Subject], None]] = {
    "a seed decides the initial weights": check_weights,
    **{title: partial(check_sampling, check) for title, check in SAMPLING.items()},
    "training has finite losses and reaches every parameter": check_training,
    "a stopped training resumes to the bit": check_resuming,
    "a checkpoint holds all that sampling needs": check_checkpoint,
    "abilities beside sampling are well-formed": check_abilities,
}


def run_checks(config: Config, data: ImageDataModule) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each check's title with a function that runs it and returns what fails, "" if nothing does."""
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        for title, check in CHECKS.items():
            yield title, partial(problem, check, Subject(config, data, Path(folder)))


def problem(check: Callable[[Subject], None], subject: Subject) -> str:
    """Run one check in silence and return what fails, in one line; "" if nothing does."""
    quiet, console.quiet = console.quiet, True
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            check(subject)
    except Broken as error:
        return str(error)
    except Interrupted:
        raise
    except Exception as error:
        place = configured("model", subject.config).place
        return cause(error, place.owns if place else None)
    finally:
        console.quiet = quiet
    return ""
