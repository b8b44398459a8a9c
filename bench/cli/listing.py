"""`bench list`: what there is to choose from."""

import inspect

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.config.load import names, read
from bench.config.schema import check_name
from bench.evaluation.features.registry import known_extractors
from bench.evaluation.features.weights import STACKED, classifier_files
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.tasks.registry import ABILITIES
from datamodules import DATAMODULES
from models import MODELS

Lines = list[tuple[str, str]]


def summary(thing: object) -> str:
    """The first sentence of a docstring."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def models() -> Lines:
    """Each with its family and with what it can do beside sampling."""
    lines = []
    for name, model in MODELS.items():
        able = [ability for ability, entry in ABILITIES.items() if entry.offered_by(model)]
        lines.append((name, f"{summary(inspect.getmodule(model))}  [{', '.join([model.family, *able])}]"))
    return lines


def datasets() -> Lines:
    return [(name, summary(data)) for name, data in DATAMODULES.items()]


def samplers() -> Lines:
    return [
        (name, ", ".join(f"{key} {value}" for key, value in read("sampler", name).items())) for name in names("sampler")
    ]


def presets() -> Lines:
    return [
        (name, f"{read('preset', name)['about']}  [{', '.join(read('preset', name)['models'])}]")
        for name in names("preset")
    ]


def metrics() -> Lines:
    better = {"lower": "lower is better; ", "higher": "higher is better; ", "neither": ""}
    return [(name, f"{better[metric.direction]}{metric.source}") for name, metric in METRICS.items()]


def extractors() -> Lines:
    """Each with the file that its weights are in, where it has one."""
    files = classifier_files()
    return [(name, str(files.get(name.removeprefix(STACKED), ""))) for name in known_extractors()]


LISTS = {
    "models": models,
    "datasets": datasets,
    "samplers": samplers,
    "presets": presets,
    "metrics": metrics,
    "extractors": extractors,
}


def show(what: str | None) -> None:
    """Print one of LISTS, or all of them."""
    chosen = LISTS if what is None else {what: LISTS[check_name("list", what, LISTS)]}
    console = Console(highlight=False)
    for title, lines in chosen.items():
        table = Table(
            title=title, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2)
        )
        table.add_column()
        table.add_column(overflow="fold")  # paths are shown to their end
        for name, text in lines():
            table.add_row(name, escape(text))
        console.print(table)
