"""Train a feature extractor for a data set that has class labels.

The evaluation compares images by the features of a small classifier. Those of
MNIST, Fashion-MNIST and Stacked MNIST are shipped; this command trains the
classifier of another data set and keeps it in the user's cache folder.
"""

import argparse

EXAMPLES = """
bench extractor data=cifar10 data.root=DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="data=NAME, data.* and seed")


def run(options: argparse.Namespace) -> None:
    from bench.config.schema import ConfigError
    from bench.runs.extractor import train_extractor

    if wrong := [word for word in options.overrides if not word.startswith(("data=", "data.", "seed="))]:
        raise ConfigError(f"{wrong[0]}: `bench extractor` takes data=NAME, data.* and seed only")
    train_extractor(options.overrides)
