"""torch-fidelity's Inception-v3 with weights from elsewhere, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.registry import check_extractor, load_extractor
from bench.evaluation.features.torch_fidelity import InceptionFeatures
from tests.bench.evaluation.features.inception import Blank, write_package


def test_foreign_weights_are_refused(nowhere: None, tmp_path: Path, blank: Blank) -> None:
    half = {name: value for name, value in blank.state_dict().items() if "Mixed_7" not in name}
    torch.save(half, tmp_path / "half.pth")
    with pytest.raises(EvaluationError, match=r"not Inception-v3 weights: .* are missing"):
        load_extractor("inception-v3", weights=tmp_path / "half.pth")
    (tmp_path / "torn.pth").write_bytes(b"no such thing")
    with pytest.raises(EvaluationError, match=r"torn.pth cannot be read"):
        load_extractor("inception-v3", weights=tmp_path / "torn.pth")
    with pytest.raises(EvaluationError, match=r"weights=absent.pth is not a file"):
        check_extractor("inception-v3", 3, weights=Path("absent.pth"))


def test_logits_are_those_of_the_layer_without_bias(
    nowhere: None, tmp_path: Path, blank: Blank, images: Callable[..., Tensor]
) -> None:
    torch.save(blank.state_dict(), tmp_path / "given.pth")
    extractor = load_extractor("inception-v3", weights=tmp_path / "given.pth")
    features, logits = extractor.outputs(images(2, seed=0, channels=3))
    torch.testing.assert_close(logits, features @ blank.fc.weight.T)
    assert (extractor.classes, extractor.taught_by) == (1008, None)


def test_weights_without_fc_have_no_inception_score(
    nowhere: None, tmp_path: Path, blank: Blank, images: Callable[..., Tensor]
) -> None:
    path = write_package(tmp_path, blank)
    with pytest.raises(EvaluationError, match="lack the classifier layer of the Inception score"):
        InceptionFeatures("inception-v3", ["logits_unbiased"], path)
    extractor = load_extractor("inception-v3", weights=path)
    assert extractor.outputs(images(2, seed=0))[1] is None
    assert extractor.classes == 0
