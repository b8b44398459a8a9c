"""Benchmark the suite against hardware limits and other libraries.

Every answer is a ratio, written to SPEED.json and SPEED.md in the results
folder.
Questions: startup, training, sampling, roofline, memory, evaluation, shared,
loop.
The other libraries: pip install -e ".[speed]"
"""

import argparse

EXAMPLES = """
bench speed loop
bench speed training sampling results=DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", default=[], metavar="QUESTION",
                        help="questions to answer (default: all), and results=DIR")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    from bench.speed.command import speed

    speed(options.overrides)
