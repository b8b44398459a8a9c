"""A folder's images, one a file."""

from pathlib import Path

import pytest
import torch

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.folder import read_images, write


def test_without_a_shape_the_first_image_has_it_and_the_others_must_fit(tmp_path: Path) -> None:
    write(torch.zeros(3, 1, 4, 4, dtype=torch.uint8), None, tmp_path / "f")
    write(torch.zeros(1, 3, 4, 5, dtype=torch.uint8), None, tmp_path / "wide")
    with pytest.raises(EvaluationError, match="wide/000000.png is 4 x 5 pixels, but the data is 4 x 4"):
        read_images([tmp_path / "f" / "000000.png", tmp_path / "wide" / "000000.png"], None)
    assert read_images([], (1, 4, 4)).shape == (0, 1, 4, 4)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(EvaluationError, match="images=.*a.png cannot be read: Is a directory"):
        read_images([tmp_path / "a.png"], (1, 4, 4))
