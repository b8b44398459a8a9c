"""The figures of torch-fidelity's own command line on two folders of PNG files, and ours of the same files."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch_fidelity import fidelity as command

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import weights as pretrained
from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.features.torch_fidelity import ClassifierFeatures, StackedFeatures, register
from bench.evaluation.image_files.folder import read_images
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol

MNIST = Path(__file__).parents[4] / "datamodules" / "assets" / "t10k-images-idx3-ubyte.gz"
SHIPPED = pretrained.ASSETS / "mnist-cnn.pt"
N, SEED, SUBSETS, SUBSET_SIZE = 300, 5, 10, 200
OURS = {
    "frechet_inception_distance": "fid",
    "kernel_inception_distance_mean": "kid",
    "inception_score_mean": "inception_score",
    "precision": "precision",
    "recall": "recall",
}

# KID and Inception score come out equal to the last digit. torch-fidelity averages features (FID) and hits (precision,
# recall) in float32, we in float64: 1e-6 at most. The rest is room for processors where features depend on the batch.
TOLERANCE = 1e-5


def write(images: Tensor, folder: Path) -> Path:
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze(0).numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy()).save(
            folder / f"{i:05}.png"
        )
    return folder


def digits(first: int) -> Tensor:
    """300 of MNIST's test images, uint8 300 x 1 x 28 x 28."""
    pixels = np.frombuffer(gzip.decompress(MNIST.read_bytes()), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return torch.from_numpy(pixels[first : first + N].copy())


def noisy(images: Tensor) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 15 * noise).clamp(0, 255).to(torch.uint8)


def colours(images: Tensor) -> Tensor:
    """Three digits an image, each in a channel of its own."""
    return torch.cat([images, images.roll(1, 0), images.roll(7, 0)], 1)


PAIRS = {  # samples and reference
    "mnist-cnn": lambda: (noisy(digits(0)), digits(N)),
    "stacked-mnist-cnn": lambda: (colours(noisy(digits(0))), colours(digits(N))),
}


def ours(samples: Tensor, reference: Tensor, extractor: Extractor) -> dict[str, float]:
    """The metrics of the registry, on features of our own."""
    protocol = Protocol(
        data="mnist",
        extractor=extractor.name,
        extractor_digest=extractor.digest,
        reference_digest="0",
        samples=N,
        seed=SEED,
        chunk=N,
        kid_subsets=SUBSETS,
        kid_subset_size=SUBSET_SIZE,
    )
    generated, logits = extractor.outputs(samples)
    real = extractor(reference)
    sets = FeatureSets(generated, real, Moments.from_features(real), protocol, torch.arange(N) % 2, logits)
    return {name: METRICS[name].compute(sets).value for name in set(OURS.values())}  # type: ignore[union-attr]


@pytest.fixture
def torch_fidelity(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """`fidelity ...`, in this process because an extractor that is not its own must be registered first."""

    def run(*arguments: object) -> Any:
        options = ["--cpu", "--json", "--silent", "--save-cpu-ram", "--rng-seed", SEED, *arguments]
        options += ["--kid-subsets", SUBSETS, "--kid-subset-size", SUBSET_SIZE]
        monkeypatch.setattr("sys.argv", ["fidelity", *map(str, options)])
        command.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped classifier has not been trained yet")
@pytest.mark.parametrize("name", PAIRS)
def test_figures_are_those_of_torch_fidelitys_command(
    name: str, tmp_path: Path, torch_fidelity: Callable[..., Any]
) -> None:
    pair = PAIRS[name]()
    folders = [write(images, tmp_path / str(i)) for i, images in enumerate(pair)]
    extractor = load_extractor(name)
    read = [read_images(sorted(folder.iterdir()), tuple(pair[0].shape[1:])) for folder in folders]  # type: ignore[arg-type]
    assert all(map(torch.equal, read, pair))
    assert torch.equal(extractor(read[0][:50]), extractor(pair[0][:50]))

    score = () if name.startswith("stacked") else ("--isc", "--isc-splits", 1)
    theirs = torch_fidelity(
        "--input1", folders[0], "--input2", folders[1], "--feature-extractor", name, "--fid", "--kid", "--prc", *score
    )
    found = ours(read[0], read[1], extractor)
    for key in set(theirs) & set(OURS):
        assert found[OURS[key]] == pytest.approx(theirs[key], rel=TOLERANCE), key
    assert 0.1 < found["recall"] < 0.9  # the sets are neither equal nor apart


def test_grey_features_of_coloured_files_are_refused(tmp_path: Path, torch_fidelity: Callable[..., Any]) -> None:
    register("mnist-cnn", ClassifierFeatures)
    folder = write(colours(digits(0)[:4]), tmp_path / "coloured")
    with pytest.raises(EvaluationError, match="extractor=mnist-cnn takes grey images, but some of these have colours"):
        torch_fidelity("--input1", folder, "--feature-extractor", "mnist-cnn", "--isc")


def test_channels_judged_apart_have_no_inception_score(tmp_path: Path, torch_fidelity: Callable[..., Any]) -> None:
    register("stacked-mnist-cnn", StackedFeatures)
    with pytest.raises(EvaluationError, match="the Inception score is undefined"):
        torch_fidelity("--input1", tmp_path, "--feature-extractor", "stacked-mnist-cnn", "--isc")
