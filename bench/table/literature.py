"""Published figures for CIFAR-10, for context; they do not compare with the suite's figures.

Other networks, budgets of days on several GPUs, 50,000 samples and Inception's features: no figure here shares a
protocol with a figure of the suite. Times are the paper's own, on one V100.
"""

from dataclasses import dataclass

from bench.table.text import Grid

TITLE = "Published elsewhere: CIFAR-10"
SOURCE = "Xiao, Kreis and Vahdat 2022, Tackling the Generative Learning Trilemma with Denoising Diffusion GANs, Table 1"
LINK = "https://arxiv.org/abs/2112.07804"
VERIFICATION = (
    "Compared with three transcriptions of the paper's table; the FIDs of NVAE, NCSN, Score SDE, StyleGAN2 and LSGM "
    "also with later papers' tables. NVAE's recall and time and NCSN's time could not be checked and are left empty"
)


@dataclass(frozen=True)
class PublishedResult:
    """One method: FID against CIFAR-10's training images, improved recall, NFE and seconds for 100 images."""

    method: str
    family: str
    fid: str  # with the published digits
    recall: float | None
    nfe: int
    seconds: float | None
    paper: str


LITERATURE = (
    PublishedResult("NVAE", "VAE", "23.5", None, 1, None, "Vahdat and Kautz 2020"),
    PublishedResult("SNGAN", "GAN", "21.7", 0.44, 1, None, "Miyato et al. 2018"),
    PublishedResult("StyleGAN2 with ADA", "GAN", "2.92", 0.49, 1, 0.04, "Karras et al. 2020"),
    PublishedResult("NCSN", "score-based", "25.3", None, 1000, None, "Song and Ermon 2019"),
    PublishedResult("DDPM", "diffusion", "3.21", 0.57, 1000, 80.5, "Ho et al. 2020"),
    PublishedResult("DDIM, 50 steps", "diffusion", "4.67", 0.53, 50, 4.01, "Song et al. 2021"),
    PublishedResult("Score SDE (VE)", "score-based", "2.20", 0.59, 2000, 423.2, "Song et al. 2021"),
    PublishedResult("LSGM", "diffusion in latents", "2.10", 0.61, 147, 44.5, "Vahdat et al. 2021"),
    PublishedResult("Denoising diffusion GAN, T = 4", "diffusion by GANs", "3.75", 0.57, 4, 0.21, "Xiao et al. 2022"),
)


def literature_grid() -> Grid:
    """Return the published figures as text, a line for each method."""
    head = ["method", "family", "FID ↓", "recall ↑", "NFE ↓", "s / 100 images ↓", "paper"]
    lines = [
        [
            entry.method, entry.family, entry.fid, "–" if entry.recall is None else f"{entry.recall:.2f}",
            f"{entry.nfe}", "–" if entry.seconds is None else f"{entry.seconds:g}", entry.paper,
        ]
        for entry in LITERATURE
    ]  # fmt: skip
    return [head, *lines]
