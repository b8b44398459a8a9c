"""The cached reference: right, reused, and never trusted when it is damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor, Moments
from bench.evaluation.features.reference import Reference, reference, subset
from bench.evaluation.keys import key
from bench.evaluation.metrics.intervals import groups


@pytest.fixture
def split(images: Callable[..., Tensor]) -> Tensor:
    return images(90, seed=3)


class Counting:
    """How often images went through the extractor."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.calls += 1


def test_moments_are_of_the_whole_split_and_the_manifold_of_a_part(extractor: Extractor, split: Tensor) -> None:
    found = reference(split, extractor)
    features = extractor(split)
    np.testing.assert_allclose(
        found.moments.covariance.numpy(), np.cov(features.double().numpy(), rowvar=False), rtol=1e-9, atol=1e-12
    )
    part = found.manifold(40, seed=7, subsets=8)
    assert len(part) == 80  # no more than two fit
    assert len(part.unique(dim=0)) == len(part)
    assert (part[:, None] == features[None]).all(2).any(1).all()
    assert torch.equal(found.manifold(40, seed=7, subsets=1), part[:40])
    assert torch.equal(found.manifold(90, seed=7, subsets=8), features)


def test_subset_is_numpys_frozen_stream() -> None:
    expected = np.sort(np.random.RandomState(key("baseline", 2020)).choice(50_000, 256, replace=False))
    assert subset(50_000, 256, 2020, "baseline").tolist() == expected.tolist()
    assert len(set(subset(300, 256, 0, "baseline").tolist())) == 256


def test_no_two_purposes_of_a_seed_draw_the_same() -> None:
    """With the bare seed each of these opened one stream."""
    features = torch.arange(90.0)[:, None]
    purposes = [
        *(subset(90, 40, 5, word) for word in ("baseline", "distances", "held out", "probe")),
        Reference(features, Moments.from_features(features), "", "", (1,)).manifold(40, 5, 1)[:, 0].long(),
        torch.from_numpy(np.sort(np.random.RandomState(5).choice(90, 40, replace=False))),
    ]
    assert len({tuple(chosen.tolist()) for chosen in purposes}) == len(purposes)
    permutations = [np.random.RandomState(key(word, 5)).permutation(90)[:20] for word in ("order", "manifold parts")]
    first = {tuple(drawn) for drawn in permutations}
    assert tuple(groups(90, 5)[:20].tolist()) not in first | {tuple(np.random.RandomState(5).permutation(90)[:20] % 20)}


def test_more_images_than_there_are_is_refused(extractor: Extractor, split: Tensor) -> None:
    with pytest.raises(EvaluationError, match="samples=91 is more than the 90 images"):
        reference(split, extractor).manifold(91, seed=0, subsets=1)


def test_the_second_time_comes_from_the_cache(extractor: Extractor, split: Tensor, tmp_path: Path) -> None:
    first = reference(split, extractor, cache=tmp_path / "cache")
    again = Counting()
    second = reference(split, extractor, cache=tmp_path / "cache", progress=again)
    assert again.calls == 0
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.moments.scatter, second.moments.scatter)
    other = Counting()
    reference(255 - split, extractor, cache=tmp_path / "cache", progress=other)  # other images, other entry
    assert other.calls > 0
    assert len(list((tmp_path / "cache").iterdir())) == 2


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def falsify(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    content["tensors"]["features"][3, 5] += 1e-3
    torch.save(content, path)


def replace(path: Path) -> None:
    torch.save({"tensors": {}, "digest": storage.digest({})}, path)


@pytest.mark.parametrize("damage", [tear, falsify, replace])
def test_a_damaged_cache_is_detected_and_written_anew(
    extractor: Extractor,
    split: Tensor,
    tmp_path: Path,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = reference(split, extractor, cache=tmp_path)
    (path,) = tmp_path.glob("mnist-cnn-*.pt")
    damage(path)
    assert torch.equal(reference(split, extractor, cache=tmp_path).features, first.features)
    assert "damaged" in caplog.text
    again = Counting()
    reference(split, extractor, cache=tmp_path, progress=again)
    assert again.calls == 0


def test_a_cache_that_cannot_be_written_costs_only_time(
    extractor: Extractor, split: Tensor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert len(reference(split, extractor, cache=tmp_path / "file" / "below").features) == 90
    assert "could not be cached" in caplog.text
