"""Evaluate a run by its samplers in several numbers of steps.

The results are added to its record, so `bench table` and `bench report` draw
quality against steps. Measured points are kept; the same command adds what is
missing.
"""

import argparse

EXAMPLES = """
bench steps RUN
bench steps RUN "samplers=[ddim,dpm-solver]" "steps=[5,10,20,50,100,250,1000]"
bench steps RUN evaluation.samples=500
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id that `bench train` printed")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value",
        help="samplers=[NAME,...], steps=[N,...], evaluation.*, data.root, results=DIR",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    from bench.runs.steps import measure_steps

    measure_steps(options.run, options.overrides)
