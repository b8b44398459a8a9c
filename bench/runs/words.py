"""What captions of samples say, and what the samples show, by the judge of digits and by their measured strokes."""

import torch
from torch import Tensor

from bench.evaluation.metrics.feature_sets import Words
from bench.evaluation.scoring import Captions
from models.base import GenerativeModel
from models.captions import digits_of, held_out_combinations, label_of, read
from models.protocols import SamplesCaptioned
from models.strokes import strokes, thirds

CHUNK = 500  # images that are measured at once


def captions_of(model: GenerativeModel) -> Captions | None:
    """Return how a model's captions are drawn and judged; None for a model that takes none."""
    if not model.captioned or not isinstance(model, SamplesCaptioned):
        return None
    return Captions(model.draw_captions, words)


def words(captions: Tensor, images: Tensor, judged: Tensor) -> Words:
    """Compare captions with images: tokens int64 N x 6 C, uint8 N x C x H x W, and the judge's labels int64 N.

    An attribute is that of the digit which the caption names, whatever digit is seen.
    """
    said, new_order = read(captions)
    channels = said.shape[1]
    measured = thirds(torch.cat([strokes(chunk / 127.5 - 1) for chunk in images.split(CHUNK)]), said[:, :, 0])
    seen = torch.cat([digits_of(judged, channels)[..., None], measured], dim=2)
    digits = torch.tensor([True, False, False]).repeat(channels)
    new_combination = held_out_combinations(10**channels)[label_of(said)]
    return Words(said.flatten(1), seen.flatten(1), digits, new_combination, new_order)
