"""Tasks beside sampling have lines of their own: means over seeds, and empty cells for what was not measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.evaluation.metrics.intervals import half_width
from bench.evaluation.tasks.registry import ABILITIES
from bench.table import text
from bench.table.build import build
from bench.table.tasks import check_section
from tests.bench.records import lecture, skilled

HERE = Path("results")


def test_block_three_says_what_models_do_beside_sampling() -> None:
    table = build(skilled(), HERE)
    made = {section.key: grid for section, grid in text.sections(table.lines)}
    assert made["compression"][1:] == [
        ["raw pixels", "–", "–", "–", "0.900", "0.930", "784"],  # what it cannot do is empty, never a zero
        ["vae", "5", "23.0", "0.900", "0.950", "0.960", "16"],
    ]
    assert made["likelihood"][1:] == [
        ["vae: ELBO", "1.250", "–", "reconstruction 1.0000 + KL 0.2500"],
        ["vae: importance-weighted, 64 draws", "1.200", "0.010", ""],
    ]
    assert made["denoising"][1:] == [["vae: noise 0.5", "8.0", "17.0", "0.400", "0.800"]]
    assert [row.name for row in table.rows] == [row.name for row in build(lecture(), HERE).rows]


def test_bounds_of_binary_images_stand_apart_from_those_of_8_bit_ones() -> None:
    first, second = skilled()[0], skilled()[0]
    second.run_id, second.config["model"] = "vae-b", second.config["model"] | {"latent_dim": 3}
    for ability in second.abilities.values():
        if ability.protocol["ability"] == "bits_per_dim":
            ability.figures["levels"] = 2
    made = {section.key: grid for section, grid in text.sections(build([first, second], HERE).lines)}
    assert [line[1] for line in made["likelihood"][1:]] == [line[1] for line in made["binary_likelihood"][1:]]
    assert len(made["likelihood"]) == 3, "the bounds of one model each"


def test_block_three_has_means_over_seeds() -> None:
    first, second = skilled()[0], skilled()[0]
    second.run_id, second.config["seed"] = "vae-1", 1
    next(iter(second.abilities.values())).figures["mse"] = 0.007
    (line,) = (line for line in build([first, second], HERE).lines if line.section == "compression")
    assert line.seeds == 2
    assert line.figures["mse"].value == pytest.approx(6)
    low, high = line.figures["mse"].interval or (0, 0)
    assert (low, high) == pytest.approx((0, 6 + half_width([5.0, 7.0])))  # no error is below 0


def test_a_section_that_does_not_exist_is_refused_by_name() -> None:
    for name, entry in ABILITIES.items():
        check_section(name, entry)
        with pytest.raises(ValueError, match=f"ability {name}: section=nowhere is none of .*compression"):
            check_section(name, replace(entry, section="nowhere"))
