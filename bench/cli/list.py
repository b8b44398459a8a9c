"""List models, data sets, samplers, presets, metrics, extractors."""

import argparse
import inspect

Lines = list[tuple[str, str, str]]  # name, text, and of what can be plugged in, where it comes from
OWN = "the suite"
EXAMPLES = """
bench list
bench list metrics
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", metavar="WHAT", help=f"one of {', '.join(LISTS)} (default: all)")


def run(options: argparse.Namespace) -> None:
    """Print one of LISTS, or all of them."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bench.config.schema import check_name

    names = list(LISTS) if options.what is None else [check_name("list", options.what, LISTS)]
    console = Console(highlight=False)
    for name in names:
        table = Table(title=name, title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2))
        table.add_column()
        table.add_column(overflow="fold")  # paths are shown to their end
        table.add_column(overflow="fold", style="dim")
        for entry in LISTS[name]():
            table.add_row(*map(escape, entry))
        console.print(table)


def summary(thing: object) -> str:
    """The first paragraph of a docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def models() -> Lines:
    """Each model with its family and its abilities beside sampling."""
    from bench.evaluation.tasks.registry import ABILITIES
    from models import MODELS

    lines = []
    for name, model in MODELS.items():
        abilities = [ability for ability, entry in ABILITIES.items() if entry.offered_by(model)]
        lines.append((name, f"{summary(inspect.getmodule(model))}  [{', '.join([model.family, *abilities])}]", OWN))
    return [*lines, *plugged_in("model")]


def datasets() -> Lines:
    from datamodules import DATAMODULES

    return [*((name, summary(data), OWN) for name, data in DATAMODULES.items()), *plugged_in("data")]


def plugged_in(kind: str) -> Lines:
    """What installed packages offer, none of which is imported: it may be slow, or fail."""
    from bench.config.components import KINDS, installed, origin

    names = (*KINDS[kind].registry, *KINDS[kind].taken)
    hidden = {name: f"not usable: {name} is a name of the suite's own" for name in names}
    return [(entry.name, hidden.get(entry.name, ""), origin(entry)) for entry in installed(kind)]


def samplers() -> Lines:
    from bench.config.load import names, read

    settings = {name: read("sampler", name) for name in names("sampler")}
    return [
        (f"{name}-STEPS", ", ".join(f"{key} {value}" for key, value in values.items()) or "no other setting", "")
        for name, values in settings.items()
    ] + plugged_in("sampler")


def presets() -> Lines:
    from bench.config.load import names, read

    contents = {name: read("preset", name) for name in names("preset")}
    return [(name, f"{preset['about']}  [{', '.join(preset['models'])}]", "") for name, preset in contents.items()]


def metrics() -> Lines:
    from bench.evaluation.metrics.registry import METRICS

    better = {"lower": "lower is better; ", "higher": "higher is better; ", "neither": ""}
    own = [(name, f"{better[metric.direction]}{metric.source}", OWN) for name, metric in METRICS.items()]
    return [*own, *plugged_in("metric")]


def extractors() -> Lines:
    """Each extractor with the file of its weights, where it has one."""
    from bench.config.components import origin
    from bench.evaluation.features.installed import installed_extractors
    from bench.evaluation.features.registry import known_extractors, own_extractors
    from bench.evaluation.features.weights import STACKED, classifier_files

    files, entries = classifier_files(), installed_extractors()
    own = [(name, str(files.get(name.removeprefix(STACKED), "")), OWN) for name in own_extractors()]
    return [*own, *((name, "", origin(entries[name])) for name in known_extractors()[len(own) :])]


LISTS = {
    "models": models,
    "datasets": datasets,
    "samplers": samplers,
    "presets": presets,
    "metrics": metrics,
    "extractors": extractors,
}
