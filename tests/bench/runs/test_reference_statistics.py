"""FID against a file of moments is FID against the images that they are of; what needs these images is left out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_fid import fid_score
from pytorch_fid.fid_score import calculate_frechet_distance, compute_statistics_of_path
from torch import Tensor
from torch_fidelity.metric_fid import fid_statistics_to_metric

from bench.cli.main import main
from bench.evaluation.features.extractor import Moments
from bench.evaluation.features.registry import load_extractor
from bench.evaluation.features.statistics import read, reference_of, write
from bench.evaluation.image_files import arrays, folder
from bench.evaluation.metrics.feature_sets import FeatureSets
from bench.evaluation.metrics.fid import fid
from bench.evaluation.protocol import Protocol
from datamodules import DATAMODULES
from tests.bench.evaluation.features.inception import Blank

WORDS = ["evaluation.samples=64", "results=r"]


@pytest.fixture
def held_out(small_mnist: Path) -> Tensor:
    """64 images, which are also in samples.npz."""
    data = DATAMODULES["mnist"]()
    data.setup()
    arrays.write_npz(data.test_images[:64], None, Path("samples.npz"))
    return data.test_images[:64]


def recorded(name: str) -> tuple[dict, dict]:
    """The figures and the protocol of a record with one result."""
    (result,) = json.loads((Path("r") / "records" / f"{name}.json").read_text())["results"].values()
    return result["metrics"], result["protocol"]


def test_fid_against_exported_moments_is_fid_against_the_data(
    held_out: Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reference", "export", "data=mnist", "--out", "deep/stats.npz"]) == 0
    assert "stats.npz: mu and sigma of 512 training images of mnist in mnist-cnn features" in capsys.readouterr().err
    assert main(["evaluate", "--images", "samples.npz", *WORDS]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--images", "samples.npz", "--reference", "deep/stats.npz", *WORDS]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "states no network" not in said  # its own files do
    assert "left out: fid_infinity, fd_random, kid, precision" in said
    assert "KID over" not in said
    (whole, against_data), (figures, stated) = recorded("samples-mnist-images"), recorded("samples-stats-images")
    assert figures.items() <= whole.items()
    assert figures.keys() == {"fid", "vendi"}
    assert all(name in said for name in whole.keys() - figures.keys())
    assert (stated["data"], stated["reference"]) == ("stats", "statistics")
    assert stated["reference_digest"] != against_data["reference_digest"]
    assert Path("r/pictures/samples-stats-images/samples.png").is_file()
    assert main(["evaluate", "--images", "samples.npz", "--reference", "deep/stats.npz", *WORDS]) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_figures_against_moments_stand_in_no_table_and_readers_take_their_record(
    held_out: Tensor, finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("gan")
    assert main(["reference", "export", "data=mnist", "--out", "stats.npz"]) == 0
    assert main(["evaluate", "--images", "samples.npz", "--reference", "stats.npz", *WORDS]) == 0
    assert main(["table", "results=r", "data=mnist"]) == 0
    assert "samples" not in [
        row.split("|")[1].strip() for row in Path("r/TABLE.md").read_text().splitlines() if "|" in row
    ]
    assert main(["show", "samples-stats-images", "results=r"]) == 0
    assert "against stats/statistics (sha" in " ".join(capsys.readouterr().out.split())
    assert main(["report", "results=r"]) == 0


def statistics(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return features.double().mean(0).numpy(), np.cov(features.double().numpy(), rowvar=False)


def test_fid_is_that_of_the_fields_programs_on_the_same_files(
    held_out: Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file as EDM writes it: no network is stated, and the user vouches for it."""
    extractor = load_extractor("mnist-cnn")
    data = DATAMODULES["mnist"]()
    data.setup()
    arrays.write_npz(data.test_images, None, Path("theirs.npz"))
    mu, sigma = statistics(extractor(data.train_images))
    np.savez("edm.npz", mu=mu, sigma=sigma)
    words = ["evaluation.extractor=mnist-cnn", "evaluation.samples=256", "results=r"]
    assert main(["evaluate", "--images", "theirs.npz", "--reference", "edm.npz", *words]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "edm.npz states no network: the figures hold if you know that it is of mnist-cnn with weights of sha" in said
    found = recorded("theirs-edm-images")[0]["fid"]
    m, s = statistics(extractor(data.test_images))
    assert found == pytest.approx(calculate_frechet_distance(m, s, mu, sigma), rel=1e-6)
    theirs = fid_statistics_to_metric({"mu": m, "sigma": s}, {"mu": mu, "sigma": sigma}, verbose=False)
    assert found == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


class Digits(torch.nn.Module):
    """mnist-cnn in the place of pytorch-fid's network, whose weights are elsewhere."""

    BLOCK_INDEX_BY_DIM = {128: 0}  # noqa: RUF012

    def __init__(self, blocks: list[int]) -> None:
        super().__init__()
        self.extractor = load_extractor("mnist-cnn")

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.extractor((x[:, :1] * 255).round().to(torch.uint8))[:, :, None, None]]


def test_pytorch_fid_has_our_figure_of_our_files_and_we_of_its_file(
    held_out: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DATAMODULES["mnist"]()
    data.setup()
    folder.write(data.test_images, None, Path("samples"))
    folder.write(data.train_images, None, Path("training"))
    monkeypatch.setattr(fid_score, "InceptionV3", Digits)
    assert main(["reference", "export", "data=mnist", "--out", "ours.npz"]) == 0
    fid_score.save_fid_stats(["training", "theirs.npz"], 64, "cpu", 128, 0)
    words = ["evaluation.extractor=mnist-cnn", "evaluation.samples=256", "results=r"]
    for name in ("ours", "theirs"):
        expected = fid_score.calculate_fid_given_paths(["samples", f"{name}.npz"], 64, "cpu", 128, 0)
        assert main(["evaluate", "--images", "samples", "--reference", f"{name}.npz", *words]) == 0
        assert recorded(f"samples-{name}-images")[0]["fid"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_inceptions_fid_is_pytorch_fids_on_the_same_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(Blank().state_dict(), tmp_path / "inception.pth")
    extractor = load_extractor("inception-v3", tmp_path / "inception.pth")
    images = torch.randint(0, 256, (48, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    arrays.write_npz(images[:16], None, tmp_path / "samples.npz")
    read_again = arrays.read_npz(tmp_path / "samples.npz", None).images
    write(Moments.from_features(extractor(images[16:])), extractor, tmp_path / "stats.npz")
    reference = reference_of(read(tmp_path / "stats.npz"), extractor, (3, 32, 32))
    generated = extractor(read_again)
    protocol = Protocol(
        data="d", extractor=extractor.name, extractor_digest=extractor.digest, reference_digest="0", samples=16,
        chunk=16,
    )  # fmt: skip
    sets = FeatureSets(generated, reference.features, reference.moments, protocol, torch.arange(16) % 4)
    theirs = compute_statistics_of_path(str(tmp_path / "stats.npz"), None, None, None, None)
    assert fid(sets).value == pytest.approx(calculate_frechet_distance(*statistics(generated), *theirs), rel=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reference", "gone.npz"], "--reference=gone.npz is not a file"),
        (["--reference", "samples.npz"], "--reference=samples.npz holds no mu and no sigma, but arr_0"),
        (["--reference", "wide.npz", "evaluation.extractor=mnist-cnn"],
         "wide.npz has 2,048 dimensions, but features of mnist-cnn have 128; choose the network"),
        (["--reference", "wide.npz", "--data", "mnist"], "--reference stands for the data set; leave out --data and "),
        (["--reference", "wide.npz", "--protocol", "ab"], "--reference stands for the data set; leave out --data and "),
        (["--reference", "wide.npz", "data.size=3"], "data.size=3: `bench evaluate --images` takes evaluation.* and "),
        (["--reference", "wide.npz", "evaluation.repeats=3"], "evaluation.repeats=3: not used for images"),
        (["--reference", "narrow.npz", "evaluation.extractor=mnist-cnn", "evaluation.samples=65"],
         "samples.npz holds 64 images, but evaluation.samples=65"),
        (["--reference", "stacked.npz", "evaluation.extractor=stacked-mnist-cnn", *WORDS],
         "extractor=stacked-mnist-cnn takes images of 3 channel(s), but these have 1"),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_sentence(
    words: list[str], said: str, held_out: Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, dim in (("wide", 2048), ("narrow", 128), ("stacked", 384)):
        np.savez(f"{name}.npz", mu=np.zeros(dim), sigma=np.eye(dim))
    assert main(["evaluate", "--images", "samples.npz", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("results").exists()
    assert main(["evaluate", "RUN", "--reference", "wide.npz"]) == 2
    assert "--data, --reference and --name belong to --images=PATH" in capsys.readouterr().err


def test_an_existing_file_is_not_replaced(held_out: Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("samples.npz").read_bytes()
    assert main(["reference", "export", "data=mnist", "--out", "samples.npz"]) == 2
    assert "--out=samples.npz: exists already; name a new one" in capsys.readouterr().err
    assert Path("samples.npz").read_bytes() == before
