"""A randomly initialised convolutional network: a second feature space, on which no model is tuned or selected.

Its weights are fixed by this file. A change of them changes DIGEST, and raises the version of every metric that is
computed from its features, so that figures of other weights never share a column.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.evaluation import digest as storage
from bench.evaluation.errors import EvaluationError
from bench.evaluation.features.extractor import Extractor
from bench.evaluation.protocol import RANDOM_NETWORK

NAME = RANDOM_NETWORK
CHANNELS = (1, 3)  # of the images; grey is repeated to RGB
SEED = 0
LAYERS = ((8, 1), (16, 2), (32, 2))  # channels and stride of each 3 x 3 convolution
CELLS = 2  # of the last layer along both axes, averaged, so that features tell where something is
DIGEST = "c1a3606a98390a969b8036ff1aaf687ac618b94e36ab4a8771e015c95b52055a"  # sha256 of the weights


class RandomNetwork(nn.Module):
    """Three 3 x 3 convolutions without bias, each followed by a ReLU: 5,976 weights."""

    def __init__(self) -> None:
        super().__init__()
        # not standard_normal: its logarithms differ between platforms
        random, inputs = np.random.RandomState(SEED), 3
        self.weights = nn.ParameterList()
        for channels, _ in LAYERS:
            bound = math.sqrt(6 / (9 * inputs))  # He et al. 2015 (arXiv:1502.01852), Eq. 10: variance 2 / fan-in
            weight = torch.from_numpy(random.uniform(-bound, bound, (channels, inputs, 3, 3)))
            self.weights.append(nn.Parameter(weight.float(), requires_grad=False))
            inputs = channels

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """uint8 N x 1 or 3 x H x W, of any size -> (float32 N x 128,); grey becomes RGB."""
        x = images.expand(-1, 3, -1, -1).to(torch.float32) / 127.5 - 1
        for weight, (_, stride) in zip(self.weights, LAYERS, strict=True):
            x = F.relu(F.conv2d(x, weight, stride=stride, padding=1))
        return (F.adaptive_avg_pool2d(x, CELLS).flatten(1),)


def random_network(device: torch.device | str = "cpu") -> Extractor:
    """Return the network as an extractor. Raises EvaluationError if other weights than those of DIGEST are drawn."""
    network = RandomNetwork()
    digest = storage.digest(network.state_dict())
    if digest != DIGEST:
        message = f"extractor={NAME}: numpy drew weights of digest {digest[:12]} in place of {DIGEST[:12]}."
        raise EvaluationError(message, key="extractor", value=NAME)
    dim = LAYERS[-1][0] * CELLS**2
    return Extractor(NAME, digest, dim, CHANNELS, chunk=250, module=network.to(device))
