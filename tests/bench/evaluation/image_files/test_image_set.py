"""The checks that all formats share."""

import pytest

from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files.image_set import check_channels_of_files, damaged


def test_an_error_of_a_library_becomes_one_sentence() -> None:
    assert str(damaged("x", OSError("first.\nsecond"))) == "images=x cannot be read: first."
    assert str(damaged("x", EOFError())) == "images=x cannot be read: EOFError."


def test_files_have_one_or_three_channels() -> None:
    with pytest.raises(EvaluationError, match="image files have 1 or 3 channels, but the data has 2"):
        check_channels_of_files((2, 1, 1))
