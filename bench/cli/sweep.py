"""Run a sweep file, skip recorded runs, and print the table.

FILE has the format of W&B's sweeps. Stopped runs are resumed and failed runs
are started again; the same command may be given at any time.
"""

import argparse

EXAMPLES = """
bench sweep families preset=smoke
bench sweep configs/sweep/families.yaml results=results --jobs 1
bench sweep families --executor ray --address auto
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a sweep file, or the name of a file in configs/sweep/")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="settings of all runs, as in `bench train`"
    )
    parser.add_argument("--jobs", type=int, metavar="N",
                        help="runs at once on this machine (default: one a GPU, or one a CPU core)")  # fmt: skip
    parser.add_argument(
        "--executor", choices=("local", "ray"), default="local", help="this machine (default), or a Ray cluster"
    )
    parser.add_argument("--address", metavar="HOST:PORT",
                        help="the Ray cluster, or auto (default: start one on this machine)")  # fmt: skip
    parser.add_argument("--gpus", type=float, metavar="G",
                        help="GPUs that Ray reserves for each device of a run, as in 0.25 (default: 0)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    from bench.config.paths import expand
    from bench.sweep.sweep import Machines, sweep

    machines = Machines(options.executor, options.jobs, options.address, options.gpus)
    return sweep(expand("FILE", options.file), options.overrides, machines)
