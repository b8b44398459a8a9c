"""The families of generative models, by the name that `model=` takes."""

from models.base import GenerativeModel
from models.ddpm import DDPM
from models.gan import GAN
from models.vae import VAE

MODELS: dict[str, type[GenerativeModel]] = {
    "vae": VAE,
    "gan": GAN,
    "ddpm": DDPM,
}

__all__ = ["MODELS", "GenerativeModel"]
