"""Train, evaluate and record one model, or every model of a preset.

model=, data= and preset= choose files of configs/ (`bench list` names them);
any other key changes one setting. Without model=, every model of the preset is
trained, one after another. A finished run is not repeated: only what its
record lacks is measured, as new samplers, metrics or evaluation settings. A
stopped run is resumed by the same command.
"""

import argparse

EXAMPLES = """
bench train preset=smoke
bench train preset=quick
bench train model=vae data=mnist seed=1 model.latent_dim=32
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="settings, as in seed=1 or results=DIR"
    )


def run(options: argparse.Namespace) -> None:
    from bench.config.load import load
    from bench.config.schema import ConfigError
    from bench.runs.run import run_config
    from bench.runtime.console import console
    from bench.tracking.identity import started_by_agent

    configs = load(options.overrides)
    if len(configs) > 1 and started_by_agent():
        raise ConfigError("model: missing; `wandb agent` runs one model at a time, so set model=NAME or sweep over it")
    for number, config in enumerate(configs, 1):
        if len(configs) > 1:
            console.rule(f"{config.model['name']}, run {number} of {len(configs)}, preset {config.preset}")
        run_config(config)
