"""The panels of quality against steps have a line for each sampler of a model."""

from pathlib import Path
from xml.etree import ElementTree

from bench.table.build import build
from bench.table.picture import drawings, png
from bench.table.sampler_chart import sampler_panels
from bench.table.sampler_curves import GUIDANCE, WORDS, by_sweep
from tests.bench.records import figures, record
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


def test_all_panels_lie_within_the_picture_however_many_figures_there_are() -> None:
    """Captions have eight figures against guidance."""
    rows = {
        f"ddim-20-w{w}": figures(9.0 - w, 0.5, 0.1, **dict.fromkeys(("class_accuracy", *WORDS), 0.1 * (1 + w)))
        for w in range(3)
    }
    model = record("ddpm", "diffusion", rows=rows)
    for w, result in enumerate(model.results.values()):
        result.protocol["sampler_settings"] = {"method": "ddim", "steps": 20, "label_guidance": w}
    drawing = ElementTree.fromstring(drawings(build([model], Path("results")))[GUIDANCE.file])
    _, top, wide, high = map(float, drawing.attrib["viewBox"].split())
    rows_of_panels = [group for group in drawing if group.tag.endswith("}g")]
    panels = [(row, panel) for row in rows_of_panels for panel in row if panel.find("./*[@class='title']") is not None]
    assert len(panels) == len(GUIDANCE.panels)
    for row, panel in panels:
        x, y = (sum(shifts) for shifts in zip(shift(row), shift(panel), strict=True))
        assert 0 <= x < wide
        assert top <= y < top + high


def shift(element: ElementTree.Element) -> tuple[float, float]:
    x, y = element.attrib["transform"].removeprefix("translate(").removesuffix(")").split()
    return float(x), float(y)
