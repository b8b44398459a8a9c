"""A user's extractor gives features that are told apart by its files, and what it gives wrongly is one sentence."""

from pathlib import Path

import pytest
import torch

from bench.config.load import load
from bench.config.schema import Config, ConfigError
from bench.evaluation.errors import EvaluationError
from bench.runs.own_extractor import check_own_extractor, is_own, load_own_extractor
from tests.projects import DATA, EXTRACTOR, MODEL, write_project

IMAGES = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def configured(*words: str) -> Config:
    return load([f"model={MODEL}", f"data={DATA}", f"evaluation.extractor={EXTRACTOR}", *words])[0]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the document's extractor, in the working folder."""
    monkeypatch.chdir(write_project(tmp_path))
    return Path("features/regions.py")


def test_its_features_are_those_of_its_module_and_its_digest_changes_with_its_file(file: Path) -> None:
    config = configured()
    assert is_own(config)
    check_own_extractor(config, IMAGES)
    first = load_own_extractor(config, "cpu")
    means = IMAGES.float().unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)).flatten(1)
    torch.testing.assert_close(first(IMAGES), means)
    assert load_own_extractor(configured(), "cpu").digest == first.digest
    file.write_text(file.read_text() + "# a word more\n")
    assert load_own_extractor(configured(), "cpu").digest != first.digest
    assert not is_own(load([f"model={MODEL}", "evaluation.extractor=mnist-cnn"])[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("(images.float()", "(1 / 0"), "fails on images of (1, 28, 28): ZeroDivisionError: division by zero ("),
        (("(images.float()", "(images"), "fails on images of (1, 28, 28): "),
        (("flatten(1),)", "flatten(1))"), "has a module that returns Tensor, not a tuple of features and logits"),
        (("dim=49", "dim=48"), "gives 49 features of an image, but states 48"),
        (("dim=49", "classes=3, dim=49"), "fails on images of"),
        (("images.float()", "images.float() * float('nan')"), "returned features that are NaN or infinite"),
        (('"regions"', '"other"'), "returns no generative_trilemma.Extractor with name='regions'"),
        (
            ("return Extractor(", "return device; Extractor("),
            "returns no generative_trilemma.Extractor with name='regions'",
        ),
        (("return Extractor(", "return Extractor(3, "), "cannot be loaded: TypeError: "),
        (("channels=(1,)", "channels=(3,)"), "takes images of 3 channel(s), but these have 1"),
    ],
)
def test_one_that_cannot_be_used_is_one_sentence(change: tuple[str, str], said: str, file: Path) -> None:
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    with pytest.raises((ConfigError, EvaluationError)) as error:
        check_own_extractor(configured(), IMAGES)
    assert str(error.value).startswith(
        "extractor=regions" if isinstance(error.value, EvaluationError) else "evaluation."
    )
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_weights_of_another_extractor_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluation.extractor_weights=x.pt: not used by an extractor of your own"):
        load_own_extractor(configured("evaluation.extractor_weights=x.pt"), "cpu")
