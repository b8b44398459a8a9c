"""Send recorded runs to W&B, or build a report of them there.

push sends every recorded run once, and the table. report builds a page that
compares the runs that were sent; it needs `pip install -e ".[report]"`.
"""

import argparse

EXAMPLES = """
bench wandb push results=results preset=quick
bench wandb report preset=quick wandb.project=my-project
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("push", "report"), help="push: send runs; report: build the page")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="results=DIR, preset=, data=, wandb.mode=, wandb.project=",
    )


def run(options: argparse.Namespace) -> int:
    if options.what == "push":
        from bench.tracking.push import push

        return push(options.overrides)
    from bench.tracking.report import publish

    return publish(options.overrides)
