"""The blocks of the W&B report in terms of `wandb-workspaces`: the table, panels of figures, curves and pictures."""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr

from bench.table.build import Table
from bench.table.render import markdown
from bench.tracking.log import SAMPLES, TABLE


def blocks(table: Table, entity: str, project: str, group: tuple[str, str], pictures: Sequence[str]) -> list[Any]:
    """Return the table as text; panels of its figures, averaged over seeds; curves; and each run's pictures.

    group: data set and presets, joined by +, which filter the project's runs. pictures: names of the runs' pictures.
    """
    data, preset = group

    def runs(name: str, job: str, grouped: bool) -> Any:
        names = ", ".join(f"'{name}'" for name in preset.split("+"))
        filters = f"Config('dataset') = '{data}' and Config('preset') in [{names}] and JobType = '{job}'"
        group_by = ["config.family", "config.model.name"] if grouped else []
        return wr.Runset(entity=entity, project=project, name=name, filters=filters, groupby=group_by)

    def grid(panels: list[Any], columns: int, height: int, runset: Any) -> Any:
        width = 24 // columns
        for number, panel in enumerate(panels):
            panel.layout = wr.Layout(x=number % columns * width, y=number // columns * height, w=width, h=height)
        return wr.PanelGrid(runsets=[runset], panels=panels)

    means = runs("means over seeds, by family and model", "train", grouped=True)
    every_run = runs("every run", "train", grouped=False)
    samples = [name for name in pictures if name.startswith("samples")]
    others = [name for name in pictures if name not in samples]
    return [
        wr.TableOfContents(),
        wr.H2("The lecture's table, measured"),
        wr.MarkdownBlock(markdown(table)),
        wr.H2("Quality against speed, and coverage"),
        grid(figures(), 2, 10, means),
        wr.H2("Learning curves, over images seen"),
        grid(curves(), 2, 10, means),
        wr.H2("The same seeds, over the training and at its end"),
        grid([media("over the training", [SAMPLES])], 1, 12, every_run),
        grid([media(name, [f"pictures/{name}"]) for name in samples], 2, 12, every_run),
        wr.H2("Tasks beside sampling"),
        grid([media(name, [f"pictures/{name}"]) for name in others], 2, 12, every_run),
        wr.H2("Every row, at full precision"),
        grid([wr.WeavePanelSummaryTable(table_name=TABLE)], 1, 14, runs("the table", "table", grouped=False)),
    ]


def figures() -> list[Any]:
    """Return panels of the summary's figures, averaged over a group's seeds."""
    trade = wr.ScatterPlot(
        title="FID against seconds for 100 images, coverage as the third axis",
        x=wr.SummaryMetric("speed/seconds_per_100"), y=wr.SummaryMetric("quality/fid"),
        z=wr.SummaryMetric("coverage/coverage"), log_x=True, log_y=True,
    )  # fmt: skip
    bars = {
        "FID (lower is better)": "quality/fid",
        "recall": "coverage/recall",
        "coverage": "coverage/coverage",
        "seconds for 100 images (lower is better)": "speed/seconds_per_100",
        "training, minutes": "cost/train_minutes",
    }
    return [trade, *(
        wr.BarPlot(title=title, metrics=[wr.SummaryMetric(key)], groupby_aggfunc="mean", groupby_rangefunc="minmax")
        for title, key in bars.items()
    )]  # fmt: skip


def curves() -> list[Any]:
    """Return panels of each family's objective and of the bound on the likelihood, which compares across families."""
    names = {"objective (of another kind in each family)": "train/loss", "bits/dim": "train/bits_per_dim"}
    return [
        wr.LinePlot(
            title=title, x="images_seen", y=[key], title_x="images seen", groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for title, key in names.items()
    ]  # fmt: skip


def media(title: str, keys: list[str]) -> Any:
    return wr.MediaBrowser(title=title, media_keys=keys)
