"""Lay out learning curves over images seen: a panel for each model and logged name."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench.plots.panel import Line, Panel, panel
from bench.report.collect import Comparison
from bench.results.identity import identity
from bench.results.records import BASELINE_FAMILY

Curves = Mapping[str, list[float]]


def panels(comparison: Comparison) -> list[Panel]:
    """Return the panels of every model with recorded curves, including diverged runs; `loss` first."""
    runs: dict[tuple[str, str], list[tuple[str, Curves]]] = defaultdict(list)
    families = {record.config["model"]["name"]: record.family for record in comparison.records}
    for record in comparison.records:
        if record.family != BASELINE_FAMILY and record.curves:
            model = comparison.labels[identity(record)]
            runs[model, record.family].append((f"seed {record.config['seed']}", record.curves))
    for failure in comparison.failures:
        if failure.curves:
            model = failure.config["model"]["name"]
            title = f"seed {failure.config.get('seed', '?')}, diverged"
            runs[model, families.get(model, "")].append((title, failure.curves))
    return [
        result
        for (model, family), named_curves in runs.items()
        for name in logged_names([curves for _, curves in named_curves])
        if (result := learning_panel(model, family, name, named_curves)) is not None
    ]


def logged_names(curves_of_runs: Sequence[Curves]) -> list[str]:
    """Return the logged names in their order, with `loss` first."""
    names = dict.fromkeys(name for curves in curves_of_runs for name in curves if name != "images_seen")
    return sorted(names, key=lambda name: name != "loss")


def learning_panel(model: str, family: str, name: str, named_curves: Sequence[tuple[str, Curves]]) -> Panel | None:
    """Lay out one logged name of one model, a line for each run; None where no value is finite."""
    lines = [
        Line(title, list(zip(curves["images_seen"], curves[name], strict=False)))
        for title, curves in named_curves
        if name in curves
    ]
    return panel(model, family, name, lines, "images seen", thousands)


def thousands(images: float) -> str:
    """Format a number of images in few characters: 0, 50k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if images >= size:
            return f"{images / size:.4g}{unit}"
    return f"{images:.4g}"
