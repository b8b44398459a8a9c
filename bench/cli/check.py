"""Check that a model of your own keeps the contract, in about ten seconds.

PLACE is what model= takes: mine.py:Mine, mypackage.models:Mine, or a name.
The checks are those of the suite's own models: shapes and ranges, random
numbers, training, resuming, checkpoints, abilities. The exit status is 1 if one
of them fails.
"""

import argparse

EXAMPLES = """
bench check mine.py:Mine
bench check mypackage.models:Mine data=cifar10 model.width=8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="PLACE", help="the model, as model= takes it")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="data=, model.*, samplers.*, train.batch"
    )


def run(options: argparse.Namespace) -> int:
    """Print a line for each check as it ends."""
    from rich.console import Console

    from bench.config.load import load
    from bench.runs.build import build_data
    from bench.runs.contract import run_checks

    usual = ["preset=smoke", "train.batch=8", "trainer.accelerator=cpu", "trainer.precision=32-true"]
    (config,) = load([*usual, *options.overrides, f"model={options.place}"])
    data, progress, kept = build_data(config), Console(stderr=True), []
    for title, check in run_checks(config, data):
        with progress.status(title):
            problem = check()
        kept.append(not problem)
        print(f"FAILS {title}: {problem}" if problem else f"ok    {title}", flush=True)
    failed = kept.count(False)
    print(f"{failed} of {len(kept)} checks failed" if failed else f"{config.model['name']} keeps the contract")
    return 1 if failed else 0
