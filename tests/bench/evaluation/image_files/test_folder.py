"""Labels beside the images of a folder, in the layout of StyleGAN's and EDM's data sets."""

import json
from pathlib import Path

import pytest
import torch

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.folder import read_images, read_labels, write


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    write(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.tensor([5, 0, 7]), tmp_path / "f")
    return tmp_path / "f"


def test_labels_are_found_by_the_path_in_the_folder(labelled: Path) -> None:
    (labelled / "deep").mkdir()
    files = [(labelled / "000001.png").rename(labelled / "deep" / "x.png"), labelled / "000000.png"]
    content = {"labels": [["deep/x.png", 2], ["000000.png", 4], ["another.png", 9]], "more": 1}
    (labelled / "dataset.json").write_text(json.dumps(content))
    found = read_labels(labelled, files)
    assert found is not None
    assert found.tolist() == [2, 4]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"labels": null}', '{"labels": 3}', "\xff"])
def test_another_json_of_this_name_holds_no_labels(labelled: Path, content: str) -> None:
    (labelled / "dataset.json").write_text(content, encoding="latin-1")
    assert read_labels(labelled, [labelled / "000000.png"]) is None


@pytest.mark.parametrize("labels", ['[["000000.png", 1]]', '[["000000.png", 1], ["000001.png", [0, 1]]]'])
def test_an_image_without_a_class_is_named(labelled: Path, labels: str) -> None:
    (labelled / "dataset.json").write_text(f'{{"labels": {labels}}}')
    with pytest.raises(EvaluationError, match="dataset.json holds no label of 000001.png that is an integer"):
        read_labels(labelled, [labelled / "000000.png", labelled / "000001.png"])


def test_without_a_shape_the_first_image_has_it_and_the_others_must_fit(labelled: Path) -> None:
    write(torch.zeros(1, 3, 4, 5, dtype=torch.uint8), None, labelled / "wide")
    with pytest.raises(EvaluationError, match="wide/000000.png is 4 x 5 pixels, but the data is 4 x 4"):
        read_images([labelled / "000000.png", labelled / "wide" / "000000.png"], None)
    assert read_images([], (1, 4, 4)).shape == (0, 1, 4, 4)
