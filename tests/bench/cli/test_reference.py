"""`bench reference export` hands its words and the place on, and refuses what it does not use."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("data=mnist --out s.pkl", "--out=s.pkl: statistics are written as .npz only"),
        ("data=mnist --out none/s.npz results=r", "results=r: `bench reference export` takes data=, data., "),
        ("data=mnist evaluation.samples=9 --out s.npz", "evaluation.samples=9: `bench reference export` takes"),
        ("data=mnits --out s.npz", "did you mean mnist"),
        ("data=ring_8 --out s.npz", "data=ring_8: points of the plane are not images"),
        ("data=mnist evaluation.extractor=cnn --out s.npz", "extractor=cnn is unknown"),
        ("data=mnist --out=", "--out=: empty"),
    ],
)
def test_mistakes_end_in_one_sentence(words: str, said: str, refusal: Callable[[str], str]) -> None:
    assert said in refusal(f"reference export {words}")
