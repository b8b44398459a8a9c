"""Attributes of a digit's strokes that are measured from its image: how wide they are, and how far they lean."""

import torch
from torch import Tensor

# Stroke width in pixels, and lean without its sign: the ends of the middle third of MNIST's 60,000 training digits, by
# the digit. tests/models/test_strokes.py computes them again.
WIDTH_ENDS = (
    (2.358, 2.937), (2.168, 2.651), (2.233, 2.758), (2.106, 2.552), (2.081, 2.550),
    (1.966, 2.374), (2.164, 2.701), (2.161, 2.623), (2.101, 2.596), (2.043, 2.484),
)  # fmt: skip
LEAN_ENDS = (
    (0.137, 0.315), (0.139, 0.360), (0.121, 0.278), (0.105, 0.246), (0.134, 0.308),
    (0.153, 0.369), (0.096, 0.216), (0.114, 0.252), (0.132, 0.309), (0.109, 0.243),
)  # fmt: skip


def strokes(x: Tensor) -> Tensor:
    """Measure width and lean of the strokes in each channel of images N x C x H x W in [-1, 1]: N x C x 2.

    Width, in pixels: twice the ink over the length of its outline (the total variation), which is w for a long bar of
    width w. Lean: the shear of the ink's second moments, positive to the right, 0 for an upright bar. Both are 0 of a
    channel without ink.
    """
    ink = (x.float() + 1) / 2
    across, down = ink[..., :-1, 1:] - ink[..., :-1, :-1], ink[..., 1:, :-1] - ink[..., :-1, :-1]
    outline = (across.square() + down.square()).sqrt().sum((2, 3))
    total = ink.sum((2, 3))
    share = ink / total.clamp(min=1e-6)[..., None, None]
    row, column = (torch.arange(size, device=x.device, dtype=ink.dtype) for size in x.shape[2:])
    row = row[:, None] - (share * row[:, None]).sum((2, 3))[..., None, None]
    column = column - (share * column).sum((2, 3))[..., None, None]
    lean = -(share * row * column).sum((2, 3)) / (share * row.square()).sum((2, 3)).clamp(min=1e-6)
    return torch.stack([2 * total / outline.clamp(min=1e-6) * (outline > 0), lean], dim=2)


def thirds(measured: Tensor, digits: Tensor) -> Tensor:
    """Return in which third of its digit's images each channel's strokes are: int64 N x C x 2, 0 to 2.

    measured: N x C x 2 of `strokes`. digits: int64 N x C. The lean counts without its sign. Thirds of the digit's own
    images make attribute and digit independent.
    """
    ends = torch.tensor([WIDTH_ENDS, LEAN_ENDS], device=measured.device).to(measured.dtype)[:, digits]
    return (measured.abs().unsqueeze(3) > ends.permute(1, 2, 0, 3)).sum(3)
