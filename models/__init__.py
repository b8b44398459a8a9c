"""The families of generative models, by the name that `model=` takes."""

from models.autoencoder import Autoencoder
from models.base import GenerativeModel
from models.dae import DAE
from models.ddpm import DDPM
from models.gan import GAN
from models.pixel_ar import PixelAR
from models.vae import VAE
from models.vqvae import VQVAE

MODELS: dict[str, type[GenerativeModel]] = {
    "ae": Autoencoder,
    "dae": DAE,
    "vae": VAE,
    "vqvae": VQVAE,
    "pixel_ar": PixelAR,
    "gan": GAN,
    "ddpm": DDPM,
}

__all__ = ["MODELS", "GenerativeModel"]
