"""Published figures for CIFAR-10: to be read beside the suite's tables, never against them.

Other networks, budgets of days on several GPUs, 50,000 samples and Inception's features: no figure here shares a
protocol with one that the suite measured. Times are the paper's own, on one V100.
"""

from dataclasses import dataclass

from bench.table.text import Grid

TITLE = "Published elsewhere: CIFAR-10"
SOURCE = "Xiao, Kreis and Vahdat 2022, Tackling the Generative Learning Trilemma with Denoising Diffusion GANs, Table 1"
LINK = "https://arxiv.org/abs/2112.07804"
CHECKED = (
    "Compared with three transcriptions of the paper's table; the FIDs of NVAE, NCSN, Score SDE, StyleGAN2 and LSGM "
    "also with later papers' tables. NVAE's recall and time and NCSN's time could not be checked, and stand empty"
)


@dataclass(frozen=True)
class Published:
    """A line: FID against CIFAR-10's training images, improved recall, evaluations and seconds for 100 images."""

    method: str
    family: str
    fid: str  # with the digits that were published
    recall: float | None
    nfe: int
    seconds: float | None
    paper: str


LITERATURE = (
    Published("NVAE", "VAE", "23.5", None, 1, None, "Vahdat and Kautz 2020"),
    Published("SNGAN", "GAN", "21.7", 0.44, 1, None, "Miyato et al. 2018"),
    Published("StyleGAN2 with ADA", "GAN", "2.92", 0.49, 1, 0.04, "Karras et al. 2020"),
    Published("NCSN", "score-based", "25.3", None, 1000, None, "Song and Ermon 2019"),
    Published("DDPM", "diffusion", "3.21", 0.57, 1000, 80.5, "Ho et al. 2020"),
    Published("DDIM, 50 steps", "diffusion", "4.67", 0.53, 50, 4.01, "Song et al. 2021"),
    Published("Score SDE (VE)", "score-based", "2.20", 0.59, 2000, 423.2, "Song et al. 2021"),
    Published("LSGM", "diffusion in latents", "2.10", 0.61, 147, 44.5, "Vahdat et al. 2021"),
    Published("Denoising diffusion GAN, T = 4", "diffusion by GANs", "3.75", 0.57, 4, 0.21, "Xiao et al. 2022"),
)


def literature_grid() -> Grid:
    """The published figures as text, a line for each method."""
    head = ["method", "family", "FID ↓", "recall ↑", "NFE ↓", "s / 100 images ↓", "paper"]
    lines = [
        [
            one.method, one.family, one.fid, "–" if one.recall is None else f"{one.recall:.2f}",
            f"{one.nfe}", "–" if one.seconds is None else f"{one.seconds:g}", one.paper,
        ]
        for one in LITERATURE
    ]  # fmt: skip
    return [head, *lines]
