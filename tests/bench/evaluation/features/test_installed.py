"""An extractor of an installed package is known by its name, imported when it is named, and refused in one sentence."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.cli.list import LISTS
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.installed import GROUP, installed_extractors
from bench.evaluation.features.registry import check_extractor, known_extractors, load_extractor

CODE = """
from torch import nn
from generative_trilemma import Extractor


class Means(nn.Module):
    def forward(self, x):
        return (x.float().flatten(2).mean(2),)


def means(device):
    return Extractor("means", "0" * 64, dim=3, channels=(3,), chunk=100, module=Means().to(device))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A function: the name of an entry and its value -> a package with this entry and the module `extracts`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "extracts", raising=False)
    (tmp_path / "extracts.py").write_text(CODE)

    def installed(name: str, value: str) -> None:
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")

    return installed


def test_an_entry_is_an_extractor_like_the_suites_own(install: Callable[[str, str], None]) -> None:
    assert installed_extractors() == {}
    install("means", "extracts:means")
    assert known_extractors()[-1] == "means"
    assert LISTS["extractors"]()[-1] == ("means", "", "means 1.2, extracts:means")
    assert "extracts" not in sys.modules
    check_extractor("means", channels=3)
    images = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8)
    torch.testing.assert_close(load_extractor("means")(images), images.float().mean((2, 3)))
    with pytest.raises(EvaluationError, match=r"extractor=means takes images of 3 channel\(s\), but these have 1"):
        check_extractor("means", channels=1)
    with pytest.raises(EvaluationError, match=r"extractor=means has no weights"):
        check_extractor("means", channels=3, weights=Path("x.pt"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("means", "nowhere:means", "extractor=means: nowhere:means cannot be loaded: ModuleNotFoundError: No module"),
        ("others", "extracts:means", "extractor=others: extracts:means returns no generative_trilemma.Extractor with"),
        ("others", "extracts:Means", "extractor=others: extracts:Means cannot be loaded: TypeError"),
    ],
)  # fmt: skip
def test_an_entry_that_fails_is_one_sentence_and_hinders_no_other(
    install: Callable[[str, str], None], name: str, value: str, said: str
) -> None:
    install(name, value)
    with pytest.raises(EvaluationError) as error:
        load_extractor(name)
    assert str(error.value).startswith(said)
    assert len(str(error.value).splitlines()) == 1
    check_extractor("mnist-cnn", channels=1)


def test_a_name_of_the_suites_own_cannot_be_taken(install: Callable[[str, str], None]) -> None:
    install("coordinates", "nowhere:x")
    assert [line for line in LISTS["extractors"]() if line[0] == "coordinates"] == [("coordinates", "", "the suite")]
    assert load_extractor("coordinates").name == "coordinates"
