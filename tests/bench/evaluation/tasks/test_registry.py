"""A task's entry decides which models have it, how it is measured, and its lines in the table."""

import math

import pytest

from bench.config.load import load
from bench.evaluation.tasks.registry import ABILITIES, TERM, denoising_lines, likelihood_lines, resolve
from bench.runs.build import build_model
from bench.table.columns import SECTIONS
from models import MODELS
from models.base import DataSpec


@pytest.mark.parametrize("name", MODELS)
def test_a_class_offers_the_abilities_that_its_instances_have(name: str, tiny: dict[str, list[str]]) -> None:
    """So a plan before the model is loaded is the plan after it."""
    (config,) = load([f"model={name}", "preset=smoke", *tiny[name]])
    model = build_model(config, DataSpec((1, 28, 28)))
    for ability, entry in ABILITIES.items():
        assert entry.had_by(model) == entry.offered_by(type(model)), ability


def test_each_bound_has_a_line_with_its_terms_and_only_the_last_a_standard_error() -> None:
    figures = {
        "bound": "tight", "bits_per_dim": 1.0, "standard_error": 0.1, "bounds": {"ELBO": 1.5, "tight": 1.0},
        "terms": {"ELBO": {"reconstruction": 1.2, "KL": 0.3}},
    }  # fmt: skip
    assert dict(likelihood_lines("vae", {}, figures)) == {
        "vae: ELBO": {"bits_per_dim": 1.5, f"{TERM}reconstruction": 1.2, f"{TERM}KL": 0.3},
        "vae: tight": {"bits_per_dim": 1.0, "standard_error": 0.1},
    }


def test_bounds_of_binary_images_have_a_section_of_their_own() -> None:
    """Also those of a record from before there were any, whose bounds are of 8-bit images."""
    entry = ABILITIES["bits_per_dim"]
    assert entry.section_of({}) is entry.section_of({"levels": 256}) is None
    assert entry.section_of({"levels": 2}) in {section.key for section in SECTIONS} - {entry.section}
    assert all(other.section_of({"levels": 2}) is None for other in ABILITIES.values() if other is not entry)


def test_each_level_of_noise_has_a_line_that_names_the_corruption() -> None:
    levels = {"levels": [{"level": 0.5, "psnr": 17.0}, {"level": 0.25, "psnr": 20.0}]}
    lines = dict(denoising_lines("dae", {"corruption": "salt_and_pepper"}, levels))
    assert lines == {"dae: salt and pepper 0.5": {"psnr": 17.0}, "dae: salt and pepper 0.25": {"psnr": 20.0}}


def test_what_is_no_path_is_resolved_to_itself() -> None:
    assert resolve("math:pi") == resolve(resolve("math:pi")) == math.pi
