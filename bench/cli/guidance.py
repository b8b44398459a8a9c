"""Evaluate a run at several weights of guidance by labels.

The run's model takes labels: model.condition=label or classifier. The weight w
is that of Ho and Salimans (2022): 0 is the conditional model alone; other
libraries call 1 + w the scale. The results are added to the run's record, so
`bench table` and `bench report` draw quality against guidance.
"""

import argparse

EXAMPLES = """
bench guidance RUN
bench guidance RUN "w=[0,0.5,1,2,4]" sampler=sde-dpm-solver-20
bench guidance RUN evaluation.samples=500
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id that `bench train` printed")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value",
        help="w=[W,...], sampler=KIND-STEPS, evaluation.*, data.root, results=DIR",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    from bench.runs.guidance import measure_guidance

    measure_guidance(options.run, options.overrides)
