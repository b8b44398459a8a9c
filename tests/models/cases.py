"""A small member of every family, for the tests of what all models promise; a new model adds its line to CASES."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models import MODELS
from models.base import DataSpec, GenerativeModel, ImageShape


@dataclass(frozen=True)
class Case:
    """A small member of a family: constructor arguments, arguments of `sample`, and the passes a sample takes.

    points: whether it can be trained on points of the plane. digits: whether its labels are a digit in each channel.
    """

    model: str
    arguments: dict[str, Any]
    sampler: dict[str, Any] = field(default_factory=dict)
    passes: int | Callable[[ImageShape], int] = 1
    warmup: int = 0
    points: bool = True
    digits: bool = False


TINY_DDPM = {"T": 20, "channels": [16, 32], "warmup": 3, "learning_rate": 0.01}
TINY_FLOW = {"channels": [16, 32], "warmup": 3, "learning_rate": 0.01}
LINEAR = {"architecture": "linear", "hidden": 32, "blocks": 2}
CLUSTER = {"condition": "cluster", "clusters": 3}
TINY_NCSN = {"sigma_max": 10.0, "levels": 6, "channels": [16, 32], "warmup": 3, "learning_rate": 0.01}
TINY_FIRST = {"T": 5, "channels": [16, 32], "warmup": 3, "learning_rate": 0.01}
TINY_DDGAN = {"T": 2, "latent_dim": 3, "channels": [16, 32], "width": 8, "learning_rate": 0.01, "generator_rate": 0.01}
CASES = {
    "vae": Case("vae", {"latent_dim": 3, "width": 4, "hidden": 16}),
    "vae-linear": Case("vae", {"latent_dim": 3, "hidden": 16, "architecture": "linear"}),
    "vqvae": Case(
        "vqvae",
        {"codebook_size": 8, "code_dim": 4, "width": 8, "prior_dim": 16, "prior_depth": 1},
        passes=lambda shape: math.prod(-(-side // 4) for side in shape[1:]) + 1,
    ),
    "pixel_ar": Case(
        "pixel_ar",
        {"patch": 4, "dim": 16, "depth": 1, "heads": 2, "hidden": 8, "warmup": 3},
        passes=lambda shape: math.prod(-(-side // 4) for side in shape[1:]) * (1 + 16 * shape[0]),
        warmup=3,
    ),
    "ae": Case("ae", {"latent_dim": 3, "width": 4, "hidden": 16}),
    "ae-linear": Case("ae", {"latent_dim": 3, "hidden": 16, "architecture": "linear"}),
    "dae": Case("dae", {"latent_dim": 6, "width": 4, "hidden": 16}, {"steps": 3}, passes=3),
    "dae-gaussian": Case(
        "dae", {"latent_dim": 6, "width": 4, "hidden": 16, "corruption": "gaussian"}, {"steps": 2}, passes=2
    ),
    "gan": Case("gan", {"latent_dim": 5, "width": 16}),
    "gan-linear": Case("gan", {"latent_dim": 5, "hidden": 16, "architecture": "linear"}),
    "gan-relativistic": Case("gan", {"latent_dim": 5, "width": 16, "loss": "relativistic", "penalty": "r1+r2"}),
    "gan-relativistic-linear": Case(
        "gan", {"latent_dim": 5, "hidden": 16, "architecture": "linear", "loss": "relativistic"}
    ),
    "ddpm": Case("ddpm", TINY_DDPM, {"steps": 3}, passes=3, warmup=3),
    "ddpm-muon": Case(
        "ddpm", TINY_DDPM | {"optimizer": "muon", "learning_rate": 0.003}, {"steps": 3}, passes=3, warmup=3
    ),
    "ddpm-attention": Case("ddpm", TINY_DDPM | {"attention": True, "patch": 1}, {"steps": 2}, passes=2, warmup=3),
    "ddpm-linear": Case(
        "ddpm", TINY_DDPM | {"architecture": "linear", "hidden": 32, "blocks": 2}, {"steps": 3}, passes=3, warmup=3
    ),
    "flow_matching": Case("flow_matching", TINY_FLOW, {"steps": 3}, passes=3, warmup=3),
    "flow_matching-linear": Case("flow_matching", TINY_FLOW | LINEAR, {"steps": 2, "method": "heun"}, 3, warmup=3),
    "flow_map": Case("flow_map", TINY_FLOW | {"flow_first": 0.4, "flow_share": 0.5}, {"steps": 2}, passes=2, warmup=3),
    "flow_map-soflow": Case("flow_map", TINY_FLOW | {"objective": "soflow", "flow_first": 0}, warmup=3),
    "flow_map-consistency": Case(
        "flow_map",
        TINY_FLOW | {"objective": "consistency", "flow_first": 0},
        {"steps": 2, "method": "consistency"},
        passes=2,
        warmup=3,
    ),
    "flow_map-linear": Case(
        "flow_map", TINY_FLOW | LINEAR | {"objective": "shortcut"}, {"steps": 2, "method": "heun"}, 3, warmup=3
    ),
    "ncsn": Case("ncsn", TINY_NCSN, {"steps": 2}, passes=13, warmup=3),
    "ncsn-solver": Case("ncsn", TINY_NCSN, {"method": "dpm-solver", "steps": 4, "grid": "karras"}, passes=4, warmup=3),
    "ncsn-linear": Case(
        "ncsn", TINY_NCSN | {"architecture": "linear", "hidden": 32, "blocks": 2}, {"steps": 1}, 7, warmup=3
    ),
    "sohl_dickstein": Case("sohl_dickstein", TINY_FIRST, passes=5, warmup=3),
    "sohl_dickstein-binomial": Case(
        "sohl_dickstein", TINY_FIRST | {"kernel": "binomial"}, passes=5, warmup=3, points=False
    ),
    "sohl_dickstein-linear": Case(
        "sohl_dickstein", TINY_FIRST | {"architecture": "linear", "hidden": 32, "blocks": 2}, passes=5, warmup=3
    ),
    "ddpm-label": Case(
        "ddpm", TINY_DDPM | {"condition": "label"}, {"steps": 3, "label_guidance": 1.0, "guided_to": 0.4}, 5, warmup=3
    ),
    "ddpm-classifier": Case(
        "ddpm", TINY_DDPM | {"condition": "classifier"}, {"steps": 3, "label_guidance": 1.0}, 6, warmup=3
    ),
    "ddpm-classifier-linear": Case(
        "ddpm", TINY_DDPM | LINEAR | {"condition": "classifier"}, {"steps": 2}, passes=4, warmup=3
    ),
    "ddpm-text": Case(
        "ddpm", TINY_DDPM | {"condition": "text"}, {"steps": 3, "label_guidance": 1.0}, 6, warmup=3, digits=True
    ),
    "ddpm-text-linear": Case(
        "ddpm", TINY_DDPM | LINEAR | {"condition": "text"}, {"steps": 2}, passes=2, warmup=3, digits=True
    ),
    "flow_matching-label": Case(
        "flow_matching", TINY_FLOW | {"condition": "label"}, {"steps": 2, "label_guidance": 0.5}, passes=4, warmup=3
    ),
    "flow_matching-label-linear": Case(
        "flow_matching", TINY_FLOW | LINEAR | {"condition": "label"}, {"steps": 2}, passes=2, warmup=3
    ),
    "gan-label": Case("gan", {"latent_dim": 5, "width": 16, "condition": "label"}),
    "gan-label-linear": Case(
        "gan", {"latent_dim": 5, "hidden": 16, "architecture": "linear", "loss": "relativistic", "condition": "label"}
    ),
    "vae-label": Case("vae", {"latent_dim": 3, "width": 4, "hidden": 16, "condition": "label"}),
    "vqvae-label": Case(
        "vqvae",
        {"codebook_size": 8, "code_dim": 4, "width": 8, "prior_dim": 16, "prior_depth": 1, "condition": "label"},
        passes=lambda shape: math.prod(-(-side // 4) for side in shape[1:]) + 1,
    ),
    "ddpm-cluster": Case("ddpm", TINY_DDPM | CLUSTER, {"steps": 3, "label_guidance": 1.0}, passes=6, warmup=3),
    "gan-cluster": Case("gan", {"latent_dim": 5, "width": 16} | CLUSTER),
    "vae-cluster": Case("vae", {"latent_dim": 3, "width": 4, "hidden": 16} | CLUSTER),
    "ddpm-ddim": Case("ddpm", TINY_DDPM, {"steps": 4, "method": "ddim"}, passes=4, warmup=3),
    "ddgan": Case("ddgan", TINY_DDGAN, passes=2),
    "ddgan-one-step": Case("ddgan", TINY_DDGAN | {"T": 1}),
    "ddgan-without-z": Case("ddgan", TINY_DDGAN | {"T": 4, "latent_dim": 0}, passes=4),
    "ddgan-linear": Case("ddgan", TINY_DDGAN | {"architecture": "linear", "hidden": 32, "blocks": 2}, passes=2),
}
TRAINED = {  # without those that train as "ddpm" and "ncsn" do
    name: case for name, case in CASES.items() if name not in ("ddpm-ddim", "ncsn-solver")
}
SHAPES = [(3, 32, 32), (1, 29, 27)]
ODD = (1, 13, 11)  # small, and divided by nothing: for what trains
CLASS_SHARES = (0.1, 0.2, 0.3, 0.4)  # of the labels, for conditional models
POINT = (2, 1, 1)  # a vector of the plane as an image


def build(case: Case, shape: ImageShape) -> GenerativeModel:
    shares = (0.1 ** shape[0],) * 10 ** shape[0] if case.digits else CLASS_SHARES
    return MODELS[case.model](DataSpec(shape, shares), **case.arguments)
