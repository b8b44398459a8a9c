"""Write the mean and covariance of a data set's features to a file.

export writes mu and sigma of the training split as .npz, as pytorch-fid and
EDM read them. `bench evaluate --images PATH --reference FILE` reads the files
of these and of guided diffusion.
"""

import argparse

EXAMPLES = """
bench reference export data=mnist --out mnist-cnn.npz
bench reference export data=cifar10 evaluation.extractor=inception-v3 --out cifar10.npz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("export",), help="export: write the statistics")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value",
        help="data=NAME, data.*, evaluation.extractor, evaluation.extractor_weights",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", required=True, help="a new .npz file")


def run(options: argparse.Namespace) -> None:
    from pathlib import Path

    from bench.config.paths import expand
    from bench.runs.reference_statistics import export

    export(options.overrides, Path(expand("--out", options.out)))
