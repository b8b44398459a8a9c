"""`bench sample` hands the run, the number and the place on."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("RUN --n 0", "--n=0: must be 1 or more"),
        ("RUN --out=", "--out=: empty; name a path"),
        ("RUN results=r", "run=RUN: unknown"),
        ("RUN evaluation.samples=5", "evaluation.samples: `bench sample` takes samplers, evaluation.seed, "),
        ("RUN model=vae", "model: `bench sample` takes"),
        ("RUN data.size=5", "data.size: `bench sample` takes"),
    ],
)
def test_mistakes_end_in_one_sentence(words: str, said: str, refusal: Callable[[str], str]) -> None:
    assert said in refusal(f"sample {words}")
