"""The panels of quality against steps have a line for each sampler of a model."""

from pathlib import Path

from bench.table.picture import drawings, png
from bench.table.sampler_chart import sampler_panels
from bench.table.sampler_curves import by_sweep
from tests.bench.table.test_sampler_curves import STEPS, ddim, table_of


def test_each_figure_has_a_panel_with_a_point_for_each_number_of_steps() -> None:
    ((sweep, curves),) = by_sweep(table_of(ddim(*STEPS)).curves)
    panels = sampler_panels(sweep, curves)
    assert [panel.name for panel in panels] == ["FID", "recall", "coverage"]
    for panel in panels:
        (course,) = panel.courses
        assert [float(point.split()[2]) for point in course.points.split(";")] == list(STEPS)


def test_the_picture_exists_where_there_are_curves_only(tmp_path: Path) -> None:
    with_curves, without = drawings(table_of(ddim(*STEPS))), drawings(table_of(ddim(50)))
    assert (set(with_curves), set(without)) == ({"TABLE.png", "STEPS.png"}, {"TABLE.png"})
    (tmp_path / "steps.png").write_bytes(png(with_curves["STEPS.png"]))
    assert (tmp_path / "steps.png").stat().st_size > 10_000
