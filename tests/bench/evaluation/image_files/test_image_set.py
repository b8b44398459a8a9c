"""Labels are integers, one an image."""

import numpy as np
import pytest
import torch

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.image_set import as_labels, check_channels_of_files, damaged


def test_labels_of_any_integer_type_are_the_same() -> None:
    for dtype in (np.uint8, np.int32, np.int64):
        assert torch.equal(as_labels("x", np.array([3, 1], dtype), 2), torch.tensor([3, 1]))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(2), "holds labels of type float64 and shape \\(2,\\); save integers, one an image"),
        (np.zeros((2, 10), int), "shape \\(2, 10\\)"),
        (np.zeros(3, int), "holds 3 labels for 2 images"),
    ],
)
def test_other_labels_are_refused(labels: np.ndarray, said: str) -> None:
    with pytest.raises(EvaluationError, match=f"images=x .*{said}"):
        as_labels("x", labels, 2)


def test_an_error_of_a_library_becomes_one_sentence() -> None:
    assert str(damaged("x", OSError("first.\nsecond"))) == "images=x cannot be read: first."
    assert str(damaged("x", EOFError())) == "images=x cannot be read: EOFError."


def test_files_have_one_or_three_channels() -> None:
    with pytest.raises(EvaluationError, match="image files have 1 or 3 channels, but the data has 2"):
        check_channels_of_files((2, 1, 1))
