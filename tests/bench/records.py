"""Records with made-up figures, for tests of whatever reads records."""

from collections.abc import Sequence
from typing import Any

from bench.evaluation.protocol import Protocol
from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.results.records import Ability, Record, Result

MACHINE = {"device": "cpu", "gpu": None, "cpu": "Some CPU", "cores": 2, "threads": 2, "jobs": 1}


def protocol(**changes: Any) -> Protocol:
    known: dict[str, Any] = {
        "data": "mnist",
        "extractor": "mnist-cnn",
        "extractor_digest": "e",
        "reference_digest": "r",
        "samples": 2000,
        "chunk": 250,
    }
    return Protocol(**(known | changes))


def record(
    model: str, family: str, seed: int = 0, rows: dict[str, dict[str, Any]] | None = None, **changes: Any
) -> Record:
    """A record whose results are given as sampler -> figures, the first the headline's; seconds go into the timing."""
    results = {}
    for sampler, figures in (rows or {}).items():
        stated = protocol(sampler=sampler, **changes)
        seconds = figures.pop("seconds_per_100", None)
        timing = {} if seconds is None else {
            "nfe": figures.pop("nfe", 1), "seconds_per_100": seconds, "images_per_second": 100 / seconds,
            "latency": 0.01, "peak_memory_mb": 900.0, "images": 100, "repeats": 2,
        }  # fmt: skip
        results[stated.fingerprint()] = Result(
            protocol=stated.to_dict(), metrics=figures, timing=timing, hardware=MACHINE
        )
    config = {
        "preset": "quick",
        "model": {"name": model},
        "data": {"name": "mnist"},
        "train": {"images": 1},
        "seed": seed,
        "samplers": {name: {} for name in rows or {} if name != "default" and family not in ("data", "outside")},
        "headline": next((name for name in rows or {} if name != "default"), None),
    }
    return Record(run_id=f"{model}-{seed}", family=family, config=config, code={}, libraries={}, data_digest="d",
                  results=results)  # fmt: skip


def figures(fid: float, coverage: float, seconds: float, **more: float) -> dict[str, Any]:
    """A row's figures; precision falls as FID rises."""
    rest = {"kid": 0.001, "precision": 1 - fid / 100, "density": 0.5, "recall": coverage}
    return {"fid": fid, "coverage": coverage, "seconds_per_100": seconds, **rest, **more}


def lecture() -> list[Record]:
    """Made-up figures in which the lecture is right everywhere, and the bars' baselines."""
    return [
        record("vae", "autoregressive-vae", rows={"default": figures(30, 0.85, 0.02)}),
        record("gan", "gan", rows={"default": figures(5, 0.4, 0.03)}),
        record("ddpm", "diffusion", rows={"ancestral-1000": figures(4, 0.9, 90, nfe=1000)}),
        baseline("held-out", {"fid": 0.1, "coverage": 0.95, "recall": 0.91, "precision": 0.9}),
        baseline("class-missing", {"coverage": 0.8, "recall": 0.8}),
        baseline("one-in-ten-spoiled", {"fid": 6.0, "precision": 0.94}),
    ]


def baseline(name: str, measured: dict[str, float]) -> Record:
    """A record of real images."""
    return record(name, "data", rows={"held-out": measured}, weights="none")


def over_two_seeds(records: Sequence[Record]) -> list[Record]:
    """The records, and each run once more with another seed and the same figures."""
    again = [one.model_copy(deep=True) for one in records if one.family not in ("data", "outside")]
    for one in again:
        one.run_id, one.config["seed"] = f"{one.run_id}-again", one.config["seed"] + 100
    return [*records, *again]


def ability(name: str, measured: dict[str, Any], **changes: Any) -> dict[str, Ability]:
    known: dict[str, Any] = {
        "data": "mnist",
        "test_digest": "t",
        "train_digest": "",
        "images": 2000,
        "train_images": 0,
        "seed": 0,
        "chunk": 250,
    }
    stated = AbilityProtocol(ability=name, weights="raw", precision="float32", **(known | changes))
    return {stated.fingerprint(): Ability(protocol=stated.to_dict(), figures=measured)}


def skilled() -> list[Record]:
    """The lecture's records with abilities on the VAE, and a line of raw pixels."""
    runs = lecture()
    compressed = {"mse": 0.005, "psnr": 23.0, "ssim": 0.9}
    bounds = {
        "bound": "importance-weighted, 64 draws", "bits_per_dim": 1.2, "standard_error": 0.01,
        "bounds": {"ELBO": 1.25, "importance-weighted, 64 draws": 1.2},
        "terms": {"ELBO": {"reconstruction": 1.0, "KL": 0.25}},
    }  # fmt: skip
    levels = [{"level": 0.5, "psnr_noisy": 8.0, "psnr": 17.0, "ssim_noisy": 0.4, "ssim": 0.8}]
    probes = {"train_digest": "d", "train_images": 10_000}
    runs[0].abilities = {
        **ability("reconstruct", compressed), **ability("bits_per_dim", bounds),
        **ability("denoise", {"levels": levels}),
        **ability("encode", {"linear_probe": 0.95, "knn": 0.96, "features": 16}, **probes),
    }  # fmt: skip
    pixels = record("raw pixels", "data")
    pixels.abilities = ability("encode", {"linear_probe": 0.9, "knn": 0.93, "features": 784}, **probes)
    return [*runs, pixels]
