"""Train, evaluate and record one model, or every model of a preset.

model=, data= and preset= choose files of configs/ (`bench list` names them);
any other key changes one setting. Without model=, every model of the preset is
trained, one after another; then the table is printed and written, and the HTML
page, as `bench table` and `bench report` do. A finished run is not repeated:
only what its record lacks is measured, as new samplers, metrics or evaluation
settings. A stopped run is resumed by the same command.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.config.schema import Config

EXAMPLES = """
bench train preset=smoke
bench train preset=quick
bench train model=vae data=mnist seed=1 model.latent_dim=32
bench train preset=quick data=image_folder data.root=DIR data.size=32
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="settings, as in seed=1 or results=DIR"
    )


def run(options: argparse.Namespace) -> None:
    from bench.config.load import load
    from bench.config.schema import ConfigError
    from bench.runs.run import run_config
    from bench.runtime import ranks
    from bench.runtime.console import console
    from bench.tracking.identity import started_by_agent

    configs = load(options.overrides)
    if len(configs) > 1 and started_by_agent():
        raise ConfigError("model: missing; `wandb agent` runs one model at a time, so set model=NAME or sweep over it")
    for number, config in enumerate(configs, 1):
        if len(configs) > 1:
            console.rule(f"{config.model['name']}, run {number} of {len(configs)}, preset {config.preset}")
        run_config(config)
    if len(configs) > 1:
        ranks.on_first(lambda: compare(configs[0]))


def compare(config: "Config") -> None:
    """Print and write the table of the runs of a configuration's preset and data, and the page of its results folder.

    A folder whose other records do not compare keeps its files; the sentence of `bench table` says what to choose.
    """
    from bench.report.write import write as write_page
    from bench.results.records import read_all
    from bench.results.selection import TableError, select
    from bench.runtime.console import console
    from bench.table.build import build
    from bench.table.output import write_and_show

    folder = Path(config.results)
    try:
        table = build(select(read_all(folder), {"preset": config.preset, "data": config.data["name"]}), folder)
    except TableError as error:
        console.print(f"no table: {error}", style="yellow", markup=False)
    else:
        write_and_show(table, folder)
    write_page([f"results={folder}"])
