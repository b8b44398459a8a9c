"""What the tests of the whole pipeline share."""

import functools
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from bench.cli.main import main
from bench.evaluation import timing
from bench.evaluation.features import weights as pretrained
from bench.runtime.console import console
from datamodules import mnist
from datamodules.base import Split
from models import MODELS

TINY = {  # overrides that make a model cheap
    "vae": ["model.width=4", "model.hidden=16"],
    "vqvae": ["model.width=4", "model.codebook_size=8", "model.prior_dim=8", "model.prior_depth=1"],
    "pixel_ar": ["model.patch=7", "model.dim=16", "model.depth=1", "model.heads=2", "model.hidden=8"],
    "ae": ["model.width=4", "model.hidden=16"],
    "dae": ["model.width=4", "model.hidden=16", "samplers=[chain-20]"],
    "gan": ["model.width=4"],
    "ddpm": ["model.channels=[8,8]", "model.T=20", "model.snapshot=0.4", "samplers=[ddim-10]"],
    "flow_matching": ["model.channels=[8,8]", "samplers=[euler-20]"],
    "flow_map": ["model.channels=[8,8]", "model.flow_first=0.3", "samplers=[flow-1]"],
    "ncsn": ["model.channels=[8,8]", "model.levels=10", "samplers=[langevin-3]"],
    "sohl_dickstein": ["model.channels=[8,8]", "model.T=10"],
    "ddgan": ["model.channels=[8,8]", "model.width=4", "model.T=2"],
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Batches here are small: threads would mostly wait for each other, the longer the busier the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_search_for_gpus() -> Iterator[None]:
    """Where there is none: PyTorch looks for them at every step of an optimizer."""
    with pytest.MonkeyPatch.context() as patched:
        if not torch.cuda.is_available():
            patched.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


@pytest.fixture(autouse=True)
def path_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of a user's class adds folders to Python's path, which no other test shall search."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(scope="session", autouse=True)
def few_timed_calls() -> Iterator[None]:
    """A sampler is timed for as many calls as `evaluation.repeats`, and not for seconds until its figure settles."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(timing, "SETTLED", 0.0)
        patched.setattr(timing, "SETTLED_ONE", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> None:
    """Tests send signals that what a shell or nohup starts in the background ignores, and so do its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def no_extractors_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests find the extractors that ship, whatever `bench extractor` has left on this machine."""
    empty = tmp_path_factory.mktemp("extractors")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pretrained, "cache_folder", lambda: empty)
        yield


@pytest.fixture(scope="session")
def tiny() -> dict[str, list[str]]:
    """Model -> the overrides that make it cheap, for every model."""
    assert set(TINY) == set(MODELS)
    return TINY


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 600 PNG files, the first of MNIST: data for processes that no monkeypatch reaches."""
    folder = tmp_path_factory.mktemp("digits")
    data = mnist.Mnist()
    data.setup()
    for k in range(600):
        Image.fromarray(data.train_images[k, 0].numpy()).save(folder / f"{k:03}.png")
    return folder


@pytest.fixture(scope="session")
def few_digits() -> tuple[Split, Split]:
    """512 training and 256 test images of MNIST; not to be changed."""
    train, test = mnist.Mnist().load()
    return Split(train.images[:512], train.labels[:512]), Split(test.images[:256], test.labels[:256])


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where reference features are kept, by content, for all tests of a session."""
    return tmp_path_factory.mktemp("features")


def use_few_digits(patched: pytest.MonkeyPatch, digits: tuple[Split, Split], cache: Path) -> None:
    """Let MNIST be copies of a few digits, and reference features be kept in `cache`."""

    def load(self: mnist.Mnist) -> tuple[Split, Split]:
        train, test = (Split(split.images.clone(), split.labels.clone()) for split in digits)
        return train, test

    patched.setattr(mnist.Mnist, "load", load)
    patched.setattr("bench.runs.context.CACHE", cache)


@pytest.fixture
def small_mnist(
    few_digits: tuple[Split, Split], feature_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """MNIST cut to 512 + 256 images; the test's own folder, which is returned, is the working folder."""
    use_few_digits(monkeypatch, few_digits, feature_cache)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_run(tiny: dict[str, list[str]]) -> Callable[..., list[str]]:
    """A function: a model and further words -> the words of the cheapest run of `bench train`, into the folder r."""

    def words(model: str, *more: str) -> list[str]:
        return [
            "train", f"model={model}", "preset=smoke", "trainer.accelerator=cpu", "results=r", "train.images=64",
            "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4", *tiny[model], *more,
        ]  # fmt: skip

    return words


@pytest.fixture(scope="session")
def finished_run(
    few_digits: tuple[Split, Split],
    feature_cache: Path,
    tiny_run: Callable[..., list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """A function: a model and further words -> the results folder of this tiny run, made once; not to be changed."""

    @functools.cache
    def run(model: str, *more: str) -> Path:
        folder = tmp_path_factory.mktemp(model)
        with pytest.MonkeyPatch.context() as patched:
            use_few_digits(patched, few_digits, feature_cache)
            patched.chdir(folder)
            patched.setattr(console, "quiet", True)
            assert main(tiny_run(model, *more)) == 0
        return folder / "r"

    return run


@pytest.fixture
def finished(finished_run: Callable[..., Path], small_mnist: Path) -> Callable[..., Path]:
    """A function: a model and further words -> the folder r of the test, with all that this tiny run has left."""

    def copied(model: str, *more: str) -> Path:
        return Path(shutil.copytree(finished_run(model, *more), small_mnist / "r", dirs_exist_ok=True))

    return copied
