"""Every picture of a model is described in one sentence."""

from bench.plots.captions import CAPTIONS
from bench.plots.model_pictures import PICTURES


def test_every_picture_is_described_in_one_sentence() -> None:
    assert len(CAPTIONS) == len(PICTURES) + 3, (
        "and those of a run: against steps, against guidance, and its labels there"
    )
    for caption in CAPTIONS.values():
        assert caption[0].isupper()
        assert caption.endswith(".")
        assert ". " not in caption
