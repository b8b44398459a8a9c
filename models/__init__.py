"""The families of generative models, by the name that `model=` takes.

Each is imported when it is asked for, so that the names alone cost no import of torch.
"""

from collections import UserDict
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.base import GenerativeModel


class Models(UserDict[str, "type[GenerativeModel]"]):
    """Name -> class, which is imported when it is read."""

    def __init__(self, **places: str) -> None:
        """places: "module:Class" by name."""
        super().__init__(places)  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> "type[GenerativeModel]":
        value = super().__getitem__(name)
        return resolve_name(value) if isinstance(value, str) else value


MODELS = Models(
    ae="models.autoencoder:Autoencoder",
    dae="models.dae:DAE",
    vae="models.vae:VAE",
    vqvae="models.vqvae:VQVAE",
    pixel_ar="models.pixel_ar:PixelAR",
    gan="models.gan:GAN",
    ddpm="models.ddpm:DDPM",
    flow_matching="models.flow_matching:FlowMatching",
    flow_map="models.flow_map:FlowMap",
    ncsn="models.ncsn:NCSN",
    sohl_dickstein="models.sohl_dickstein:SohlDickstein",
    ddgan="models.ddgan:DenoisingDiffusionGAN",
)
