"""Evaluate a trained run again, or another program's images.

With RUN: evaluate its checkpoint under changed settings of the evaluation or
with another sampler, and add the results to its record. With RUN --protocol:
repeat a recorded measurement and compare every figure. With --images: evaluate
the images in a folder of PNG files, an .npz or .npy array, a tar, a webdataset
shard or a saved Hugging Face data set as one more row of the table; with
--reference against the mean and covariance in a file, without a data set.
"""

import argparse

EXAMPLES = """
bench evaluate RUN evaluation.seed=1
bench evaluate RUN "samplers=[ddim-20]"
bench evaluate RUN --protocol FINGERPRINT
bench evaluate --images DIR --data mnist --name theirs evaluation.samples=2000
bench evaluate --images samples.npz --data cifar10
bench evaluate --images samples.npz --reference cifar10-32x32.npz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help="the run_id that `bench train` printed")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="evaluation.*, samplers.*, data.root, results=DIR"
    )
    parser.add_argument("--protocol", metavar="P", help="a protocol's fingerprint, or a JSON file that holds one")
    parser.add_argument("--images", metavar="PATH", help="8-bit images of the data set's size: folder or file")
    parser.add_argument("--data", metavar="NAME", help="data set to compare --images with (default: mnist)")
    parser.add_argument("--reference", metavar="FILE", help=".npz with mu and sigma, in the place of --data")
    parser.add_argument("--name", metavar="NAME", help="name of the row of --images (default: the path's own)")


def run(options: argparse.Namespace) -> None:
    from pathlib import Path

    from bench.config.load import results_folder
    from bench.config.paths import check_results, expand
    from bench.config.schema import ConfigError
    from bench.runs.external import evaluate_files
    from bench.runs.reference_statistics import evaluate_against
    from bench.runs.reproduce import reevaluate, repeat

    words = [word for word in (options.run, *options.overrides) if word]  # with --images, RUN is the first key=value
    protocol = None if options.protocol is None else expand("--protocol", options.protocol)
    beside = (options.data, options.name, options.reference)
    if options.images is None and any(option is not None for option in beside):
        raise ConfigError("evaluate: --data, --reference and --name belong to --images=PATH; leave them out")
    if options.reference is not None and (options.data is not None or protocol is not None):
        raise ConfigError("evaluate: --reference stands for the data set; leave out --data and --protocol")
    if options.reference is not None:
        images, statistics = (expand(f"--{name}", getattr(options, name)) for name in ("images", "reference"))
        check_results(results_folder([word for word in words if "=" in word]), writes=True)
        evaluate_against(Path(images), Path(statistics), options.name, words)
    elif options.images is not None:
        path = Path(expand("--images", options.images))
        check_results(results_folder([word for word in words if "=" in word]), writes=True)
        evaluate_files(path, "mnist" if options.data is None else options.data, options.name, words, protocol)
    elif not options.run or "=" in options.run:
        raise ConfigError("evaluate: RUN is missing; name a run_id that `bench train` printed, or give --images=PATH")
    elif protocol is not None:
        repeat(options.run, protocol, options.overrides)
    else:
        reevaluate(options.run, options.overrides)
