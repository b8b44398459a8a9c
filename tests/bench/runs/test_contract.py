"""Each check of the contract finds the mistake that it is for, and none in a model that keeps it."""

from pathlib import Path

import pytest

from bench.config.load import load
from bench.config.schema import Config
from bench.runs.build import build_data
from bench.runs.contract import CHECKS, Subject, numbers, problem
from datamodules.base import ImageDataModule
from tests.projects import DATA, FILES, MODEL, write_project

SAMPLE, STEP = "        x = mean + deviation", "        x, _ = batch"
LAST = "        return x.view(n, *self.image_shape)\n"
WORDS = ["preset=smoke", "train.batch=8", "trainer.accelerator=cpu", "trainer.precision=32-true"]
SEED, IMAGES, GENERATOR, TRACE, PASSES, SETTINGS, TRAINING, RESUMING, CHECKPOINT, ABILITIES = CHECKS
REFUSES = f"{LAST}\n    def check_sampler(self, **settings):\n        raise ValueError('too hot')\n"
TWO_PASSES = f"{LAST}\n    def passes(self, **settings):\n        return 2\n"
HALF_DENOISES = f"{LAST}\n    def denoise(self, x):\n        return x\n\n    corrupt = denoise\n"
CUTS = f"{LAST}\n    def reconstruct(self, x):\n        return x[:, :, :3]\n"
BROKEN = [  # the check, what is replaced in the document's model, and a part of the sentence
    (SEED, "torch.tensor(-2.0)", "torch.tensor(id(self) % 1000.0)", "two models of one seed differ in log_variance"),
    (IMAGES, "    @sampling\n", "", "samples carry a gradient; decorate sample with @sampling"),
    (IMAGES, "    @sampling\n", "    @torch.no_grad()\n", "outside [-1, 1]; decorate sample with @sampling"),
    (IMAGES, LAST, "        return x\n", "sample(1, ...) returns the shape (1, 784), not (1, 1, 28, 28)"),
    (IMAGES, LAST, "        return x.nonsense\n", "AttributeError: 'Tensor' object has no attribute 'nonsense'"),
    (IMAGES, LAST, "        return (x / 0 * 0).view(n, *self.image_shape)\n", "samples reach nan"),
    (GENERATOR, "noise(tuple(mean.shape), generator, self.device)", "torch.randn_like(mean)", "draw all noise with"),
    (GENERATOR, LAST, "        return torch.zeros(n, *self.image_shape)\n", "different seeds give equal samples"),
    (TRACE, SAMPLE, f"        torch.rand(1)\n{SAMPLE}", "sample draws from torch's global random numbers"),
    (TRACE, SAMPLE, f"        self.log_variance.add_(1)\n{SAMPLE}", "sample changes log_variance"),
    (TRACE, "        mean = self", "        self.train()\n        mean = self", "a network samples in training mode"),
    (TRACE, SAMPLE, f"        self.decoder.requires_grad_(False)\n{SAMPLE}", "sample changes gradients of decoder"),
    (PASSES, LAST, TWO_PASSES, "an image takes 1 evaluations of the networks, but passes() says 2"),
    (PASSES, "return (self.decoder,)", "return ()", "networks is no tuple with a module in it"),
    (PASSES, "return (self.decoder,)", "return (nn.Identity(),)", "networks holds a module that is not the model's"),
    (SETTINGS, LAST, REFUSES, "check_sampler refuses {'temperature': 1.0}: too hot (sampler full)"),
    (TRAINING, "-around", "-float('nan') * around", "the gradient of log_variance is NaN or infinite"),
    (TRAINING, "self.log_losses(loss=loss)", "loss = loss + float('nan')", "the loss of a batch is nan"),
    (TRAINING, ".log_variance = nn", ".idle = nn.Parameter(torch.zeros(1))\n        self.log_variance = nn",
     "no gradient or no optimizer reaches idle, which training on several ranks needs"),
    (RESUMING, STEP, f"{STEP}\n        self.k = getattr(self, 'k', 0) + 1\n        x = x * 0.9**self.k\n        #",
     "a resumed training differs from one that was left alone in log_variance, decoder.weight, decoder.bias; keep"),
    (CHECKPOINT, SAMPLE, f"        mean = mean + getattr(self, 'extra', 0)\n{SAMPLE}",
     "a fresh model with the checkpoint's weights samples other images"),
    (ABILITIES, LAST, HALF_DENOISES, "has the methods of denoise, but not the attributes"),
    (ABILITIES, LAST, CUTS, "reconstruct"),
]  # fmt: skip


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageDataModule, Path]:
    """The document's data set, and the folder of its project."""
    folder = write_project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        return build_data(load([f"model={MODEL}", f"data={DATA}", *WORDS])[0]), folder


@pytest.fixture
def config(stripes: tuple[ImageDataModule, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Config:
    """A configuration of the document's model in a project of the test's own, which is the working folder."""
    monkeypatch.chdir(write_project(tmp_path))
    return load([f"model={MODEL}", f"data={DATA}", *WORDS])[0]


@pytest.mark.parametrize(("title", "old", "new", "said"), BROKEN, ids=[f"{said[:40]}" for *_, said in BROKEN])
def test_a_check_finds_what_it_is_for(
    title: str, old: str, new: str, said: str, stripes: tuple[ImageDataModule, Path], config: Config, tmp_path: Path
) -> None:
    text = FILES["models/factors.py"]
    assert old in text
    if title == CHECKPOINT:
        text = text.replace("        self.log_losses", "        self.extra = 1.0\n        self.log_losses")
    Path("models/factors.py").write_text(text.replace(old, new, 1))
    found = problem(CHECKS[title], Subject(config, stripes[0], tmp_path / "trainings"))
    assert said in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("title", CHECKS)
def test_a_model_that_keeps_the_contract_passes(
    title: str, stripes: tuple[ImageDataModule, Path], config: Config, tmp_path: Path
) -> None:
    assert problem(CHECKS[title], Subject(config, stripes[0], tmp_path / "trainings")) == ""


@pytest.mark.parametrize("condition", ["label", "cluster"])
@pytest.mark.parametrize("title", [RESUMING, CHECKPOINT, ABILITIES])
def test_the_suites_own_model_with_a_condition_passes(
    title: str, condition: str, stripes: tuple[ImageDataModule, Path], config: Config, tmp_path: Path
) -> None:
    words = [f"model.condition={condition}", "model.clusters=5", "model.width=4", "model.hidden=8"]
    (own,) = load(["model=vae", f"data={DATA}", *words, *WORDS])
    assert problem(CHECKS[title], Subject(own, stripes[0], tmp_path / "trainings")) == ""


def test_numbers_are_found_at_any_depth() -> None:
    assert list(numbers({"a": [1, {"b": 2.5}], "c": "text", "d": None})) == [1, 2.5]
