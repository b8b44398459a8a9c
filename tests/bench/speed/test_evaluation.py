"""Both sides of the comparison compute equal figures."""

import pytest

from bench.evaluation.features.registry import load_extractor
from bench.speed import evaluation


def test_the_evaluators_give_equal_figures() -> None:
    real, generated = evaluation.two_sets(400)
    extractor = load_extractor("mnist-cnn")
    y, x = extractor(generated), extractor(real)
    ours = evaluation.ours(y, x)
    theirs = evaluation.by_torch_fidelity(generated, real, extractor)
    theirs["coverage"] = evaluation.by_prdc(y, x)["coverage"]
    assert set(ours) == set(theirs) == set(evaluation.FIGURES)
    for name in evaluation.FIGURES:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-5), name
    assert evaluation.by_pytorch_fid(y, x) == pytest.approx(ours["fid"], rel=1e-6)
    assert 0.1 < ours["recall"] < 1  # neither equal nor apart
