"""A DCGAN-sized generator and discriminator (Radford, Metz and Chintala 2016, arXiv:1511.06434)."""

from torch import Tensor, nn

from models.networks.autoencoder import ImageShape, halvings
from models.networks.layers import GroupNorm


class Generator(nn.Module):
    """z (N x latent) -> images (N x C x H x W in [-1, 1]): two doublings by transposed convolutions, tanh at the end.

    Departure from the paper: group instead of batch normalisation, so that an image depends on its own z alone and two
    processes train as one does.
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int, width: int) -> None:
        super().__init__()
        channels, self.height, self.width_px = image_shape
        side = (halvings(self.height, 2)[-1], halvings(self.width_px, 2)[-1])
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 4 * width * side[0] * side[1]), nn.Unflatten(1, (4 * width, *side)),
            GroupNorm(4 * width), nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1), GroupNorm(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), GroupNorm(width), nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)[..., : self.height, : self.width_px]


class Discriminator(nn.Sequential):
    """Images (N x C x H x W) -> logits (N): strided convolutions and leaky rectifiers, no normalisation.

    Departure from the paper: without batch normalisation, which the R1 penalty of single images does not allow.
    """

    def __init__(self, image_shape: ImageShape, width: int) -> None:
        channels, height, width_px = image_shape
        cells = halvings(height, 3)[-1] * halvings(width_px, 3)[-1]
        super().__init__(
            nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * width * cells, 1), nn.Flatten(0),
        )  # fmt: skip

    @property
    def head(self) -> nn.Module:
        """The last layer, of N x features -> N x 1."""
        return self[-2]

    def features(self, x: Tensor) -> Tensor:
        """Images -> the features that the head reads, N x F."""
        for layer in list(self)[:-2]:
            x = layer(x)
        return x
