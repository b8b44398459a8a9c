"""Compare two runs: settings that differ, figures side by side."""

import argparse

EXAMPLES = """
bench compare vae-mnist-0-1744cb0c gan-mnist-0-b149754e results=results/published
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id that `bench train` printed")
    parser.add_argument("other", metavar="RUN", help="the run_id of another run")
    parser.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="the folder of both records")


def run(options: argparse.Namespace) -> None:
    from bench.table.compare import compare

    compare(options.run, options.other, options.overrides)
