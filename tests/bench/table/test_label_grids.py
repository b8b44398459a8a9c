"""A label at a time: the figures of the record under their label, means over the seeds that have them all."""

from pathlib import Path

import pytest

from bench.results.records import Record
from bench.table.build import build
from bench.table.label_grids import FIGURES, label_grids
from bench.table.render import markdown
from tests.bench.records import figures, record


def of_labels(*accuracies: float) -> list[dict[str, float]]:
    """The figures of samples of each label, which differ in class accuracy only."""
    return [
        {"samples": 200, "class_accuracy": share, "fid": 1.5, "precision": 0.5, "recall": 0.25, "coverage": 1.0}
        for share in accuracies
    ]


def run(seed: int, *accuracies: float) -> Record:
    model = record("ddpm", "diffusion", rows={"ddim-50": figures(1.0, 0.5, 1.0)}, seed=seed)
    for result in model.results.values():
        result.by_class = of_labels(*accuracies)
    return model


def test_each_figure_has_a_grid_with_a_column_for_each_label() -> None:
    table = build([run(0, 0.75, 0.5)], Path("results"))
    grids = dict(label_grids(table.rows))
    assert len(grids) == len(FIGURES)
    head, line = grids["class accuracy ↑, a label at a time"]
    assert head == ["model, sampler", "0", "1"]
    assert line == [table.rows[0].name, "0.750", "0.500"]
    assert grids["FID ↓, a label at a time"][1][1:] == ["1.50", "1.50"]
    assert "**recall ↑, a label at a time**" in markdown(table)


def test_seeds_are_averaged_label_by_label_with_an_interval() -> None:
    table = build([run(0, 0.75, 0.5), run(1, 0.25, 0.5)], Path("results"))
    first, second = table.rows[0].by_label
    assert first["class_accuracy"].value == pytest.approx(0.5)
    assert first["class_accuracy"].interval == (0.0, 1.0), "a share stays within 0 and 1"
    assert second["class_accuracy"].half == pytest.approx(0.0, abs=1e-12)


def test_a_seed_without_figures_of_labels_leaves_no_mean_of_them() -> None:
    table = build([run(0, 0.75, 0.5), run(1)], Path("results"))
    assert table.rows[0].by_label == ()
    assert label_grids(table.rows) == []
    assert "a label at a time" not in markdown(table)
