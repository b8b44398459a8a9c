"""A results folder as `bench train` and `bench table` leave it, of made-up figures and small pictures.

Every model on MNIST with its baselines, three models on each set of points, and a VAE with a latent plane: one seed.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.config.load import load
from bench.results.layout import ResultsFolder
from bench.results.records import Ability, Record, write
from tests.bench.records import ability, record

PLACES = {"": "mnist", "grid_25": "grid_25", "latent-plane": "mnist", "ring_8": "ring_8"}  # folder -> its data
FAMILIES = {
    "ae": "autoencoder", "dae": "autoencoder", "ddpm": "diffusion", "gan": "gan",
    "pixel_ar": "autoregressive-vae", "vae": "autoregressive-vae", "vqvae": "autoregressive-vae",
}  # fmt: skip
# model -> sampler -> FID, precision, recall, coverage, seconds for 100 images, NFE
IMAGE_ROWS: dict[str, dict[str, tuple[Any, ...]]] = {
    "ae": {"default": (25.0, 0.60, 0.30, 0.35, 0.03, 1)},
    "dae": {"chain-20": (4.5, 0.87, 0.51, 0.82, 1.1, 20)},
    "ddpm": {
        "ancestral-1000": (None, 90.0, 1000), "ancestral-100": (1.5, 0.75, 0.93, 0.93, 9.0, 100),
        "ddim-50": (1.9, 0.71, 0.90, 0.79, 4.4, 50),
    },
    "gan": {"default": (2.5, 0.88, 0.861, 0.75, 0.02, 1)},
    "pixel_ar": {"default": (6.0, 0.70, 0.88, 0.65, 30.0, 784)},
    "vae": {"default": (9.0, 0.65, 0.860, 0.55, 0.012, 1)},
    "vqvae": {"default": (3.5, 0.78, 0.84, 0.72, 0.5, 50)},
}  # fmt: skip
POINT_ROWS: dict[str, dict[str, tuple[Any, ...]]] = {
    "ddpm": {"ancestral-200": (0.004, 0.95, 0.97, 0.94, 0.3, 200)},
    "gan": {"default": (0.09, 0.64, 0.98, 0.24, 0.0006, 1)},
    "vae": {"default": (0.02, 0.39, 0.87, 0.55, 0.0004, 1)},
}
BASELINES = {
    "held-out": (0.3, 0.90, 0.95, 0.96), "class-missing": (1.2, 0.91, 0.85, 0.86),
    "one-in-ten-spoiled": (6.0, 0.80, 0.94, 0.90),
}  # fmt: skip
PICTURES = {  # of a model, beside those of its samples
    "ae": ["reconstructions"], "dae": ["reconstructions", "denoising"], "ddpm": ["forward-chain", "film-strip"],
    "gan": [], "pixel_ar": [], "vae": ["reconstructions", "interpolations", "traversals"],
    "vqvae": ["reconstructions", "codebook-usage"],
}  # fmt: skip
CPU = {"device": "cpu", "gpu": None, "cpu": "Some CPU", "cores": 2, "threads": 2, "jobs": 1}


def run_id(model: str, data: str = "mnist", seed: int = 0) -> str:
    """The id of a run of the folder, or of one with another seed."""
    return f"{model}-{data}-{seed}-00000000"


def write_example(results: Path) -> None:
    """Write all records and pictures below `results`."""
    for place, data in PLACES.items():
        folder = results / place
        plane = place == "latent-plane"
        rows = POINT_ROWS if data != "mnist" else {"vae": IMAGE_ROWS["vae"]} if plane else IMAGE_ROWS
        for model in rows:
            write(run(model, data, rows[model], ["model.latent_dim=2"] if plane else []), folder)
            kinds = [] if data != "mnist" else [*PICTURES[model], *(["latent-plane"] if plane else [])]
            write_pictures(ResultsFolder(folder).pictures(run_id(model, data)), rows[model], kinds, place)
        for name in BASELINES if data == "mnist" else ["held-out"]:
            write(real_images(name, data), folder)
        if data == "mnist":
            write(probed_pixels(), folder)


def run(model: str, data: str, rows: Mapping[str, tuple[Any, ...]], overrides: list[str]) -> Record:
    """The record of a finished run under the quick preset's configuration."""
    measured = {
        sampler: (metrics(data, *row[:-2]) if row[0] is not None else {}) | {"seconds_per_100": row[-2], "nfe": row[-1]}
        for sampler, row in rows.items()
    }
    made = record(model, FAMILIES[model], rows=measured, **protocol_of(data))
    with_intervals(made)
    (config,) = load([f"model={model}", f"data={data}", "preset=quick", *overrides])
    made.run_id, made.config = run_id(model, data), config.model_dump()
    made.code, made.libraries = {"commit": "c" * 40, "clean": True}, {"torch": "2.9"}
    made.hardware, made.precision = CPU | {"processes": 1}, "32-true"
    made.images_seen, made.parameters, made.sampling_parameters = config.train.images, 650_000, 640_000
    made.train_seconds, made.evaluate_seconds = 180.0, 40.0
    made.curves = {"images_seen": [1600.0 * k for k in range(1, 41)], "loss": [1 / k for k in range(1, 41)]}
    made.abilities = abilities(model) if data == "mnist" else {}
    return made


def metrics(data: str, fid: float, precision: float, recall: float, coverage: float) -> dict[str, float]:
    """A row's figures: the four given ones, and others that follow from them."""
    few = {"inception_score": 8.0 + recall, "vendi": 6.0 + recall} if data == "mnist" else {"high_quality": precision}
    return {
        "fid": fid, "kid": fid / 100, "precision": precision, "recall": recall, "density": precision, **few,
        "coverage": coverage, "modes": 10.0, "mode_kl": 0.1 - coverage / 10, "class_entropy": 2.2, "c_t": 1 + fid,
        "near_copies": 0.5, "fid_infinity": 0.97 * fid,
    }  # fmt: skip


def with_intervals(made: Record) -> None:
    """Add intervals of 3% around every figure, FIDs of fewer samples, and intervals of the timings."""
    for result in made.results.values():
        result.intervals = {name: (0.97 * value, 1.03 * value) for name, value in result.metrics.items()}
        if result.metrics:
            result.fid_by_count = {count: result.metrics["fid"] * (1 + 50 / count) for count in (500, 1000, 2000)}
        if result.timing:
            seconds = result.timing["seconds_per_100"]
            interval = (0.9 * seconds, 1.1 * seconds)
            result.timing |= {"images": 100, "repeats": 3, "seconds_per_100_interval": interval}


def protocol_of(data: str) -> dict[str, Any]:
    """What the protocols of a data set's rows state beside the usual."""
    common = {"data": data, "held_out_digest": digest(f"{data} held out"), "reference_digest": digest(data)}
    if data == "mnist":
        return common | {"extractor_digest": digest("mnist-cnn"), "modes": "10 by mnist-cnn", "mode_count": 10}
    points = {"extractor": "coordinates", "quantisation": "none", "modes": "within 3 deviations", "mode_count": 8}
    return common | points | {"extractor_digest": digest("coordinates")}


def digest(text: str) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def abilities(model: str) -> dict[str, Ability]:
    """What a model does beside sampling."""
    probe = {"train_digest": digest("mnist"), "train_images": 10_000}
    level = {"level": 0.5, "psnr_noisy": 8.0, "psnr": 17.0, "ssim_noisy": 0.4, "ssim": 0.8}
    bound = "variational bound" if model == "ddpm" else "ELBO"
    bits = {
        "bits_per_dim": 1.2, "bound": bound, "bounds": {bound: 1.2}, "standard_error": 0.01,
        "terms": {bound: {"reconstruction": 1.0, "KL": 0.2}},
    }  # fmt: skip
    found: dict[str, Ability] = {}
    if model in ("ae", "dae", "vae", "vqvae"):
        found |= ability("reconstruct", {"mse": 0.005, "psnr": 23.0, "ssim": 0.9})
        found |= ability("encode", {"linear_probe": 0.95, "knn": 0.96, "features": 16}, **probe)
    if model in ("ddpm", "pixel_ar", "vae", "vqvae"):
        found |= ability("bits_per_dim", bits)
    if model == "dae":
        found |= ability("denoise", {"levels": [level, level | {"level": 0.9, "psnr": 14.0}]})
    return found


def real_images(name: str, data: str) -> Record:
    """The record of a baseline: real images in place of samples."""
    made = record(name, "data", rows={"held-out": metrics(data, *BASELINES[name])}, weights="none", **protocol_of(data))
    with_intervals(made)
    return placed(made, f"{name}-{data}-{'0' * 12}", data)


def probed_pixels() -> Record:
    """The record of a probe on raw pixels."""
    made = record("raw pixels", "data")
    figures = {"linear_probe": 0.9, "knn": 0.93, "features": 784}
    made.abilities = ability("encode", figures, train_digest=digest("mnist"), train_images=10_000)
    return placed(made, f"raw-pixels-mnist-{'0' * 12}", "mnist")


def placed(made: Record, run_id: str, data: str) -> Record:
    """A reference's record under its id, with the configuration that references have."""
    made.run_id = run_id
    made.config = {"preset": "quick", "model": made.config["model"], "data": {"name": data}}
    made.code, made.libraries = {"commit": "c" * 40, "clean": True}, {"torch": "2.9"}
    return made


def write_pictures(folder: Path, rows: Mapping[str, tuple[Any, ...]], kinds: list[str], place: str) -> None:
    """Write a picture of random pixels for each kind, and those of each row that was sampled."""
    of_rows = ["samples", "nearest"] if PLACES[place] == "mnist" else ["samples"]
    names = [
        kind if sampler == "default" else f"{kind}-{sampler}"
        for sampler, row in rows.items() if row[0] is not None for kind in of_rows
    ]  # fmt: skip
    folder.mkdir(parents=True)
    for name in [*names, *kinds]:
        pixels = np.random.default_rng(list(f"{place}/{folder.name}/{name}".encode())).integers(0, 256, (48, 96))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")
