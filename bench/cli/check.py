"""Check a model of your own, or a record that is to be contributed.

PLACE is what model= takes: mine.py:Mine, mypackage.models:Mine, or a name.
The checks are those of the suite's own models: shapes and ranges, random
numbers, training, resuming, checkpoints, abilities. Or PLACE is the record of a
run in results/contributed/records/ of a clone: is it whole, of a commit, of the
published images, and are its figures possible? The exit status is 1 if a check
fails.
"""

import argparse
from pathlib import Path

EXAMPLES = """
bench check mine.py:Mine
bench check mypackage.models:Mine data=cifar10 model.width=8
bench check results/contributed/records/vae-mnist-7-0a1b2c3d.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="PLACE", help="the model, as model= takes it, or a record's file")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="data=, model.*, samplers.*, train.batch"
    )


def run(options: argparse.Namespace) -> int:
    """Print a line for each check as it ends."""
    if options.place.endswith(".json"):
        return check_record(Path(options.place), options.overrides)
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


def check_record(file: Path, overrides: list[str]) -> int:
    """Print what is wrong with a record that is to be contributed, a line each."""
    from bench.config.schema import ConfigError
    from bench.table.contributed import problems, published_records

    if overrides:
        raise ConfigError(f"{overrides[0]}: a record is checked as it is; leave it out")
    published = file.resolve().parents[2] / "published" if len(file.resolve().parents) > 2 else Path("published")
    if not published.is_dir():
        raise ConfigError(
            f"{file}: is compared with the published records; put it into results/contributed/records/ of a clone"
        )
    found = problems(file, published_records(published))
    for problem in found:
        print(f"FAILS {problem}")
    if not found:
        print(f"{file.stem} can be contributed")
    return 1 if found else 0
