"""The command line. No logic: every command is a few calls of the modules beside it."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.progress import console
from bench.schema import ConfigError

Add = Callable[[str, object, str, str], argparse.ArgumentParser]  # name, function, summary, example -> its own parser
OVERRIDES = "settings as key=value; model=, data= and preset= pick files of configs/"


def train(options: argparse.Namespace) -> None:
    from bench.config import load
    from bench.run import run_config

    configs = load(options.overrides)
    for number, config in enumerate(configs, 1):
        if len(configs) > 1:
            console.rule(f"{config.model['name']}, run {number} of {len(configs)}, preset {config.preset}")
        run_config(config)


def evaluate(options: argparse.Namespace) -> None:
    from bench.outside import evaluate_folder
    from bench.repeat import reevaluate, repeat

    words = [word for word in (options.run, *options.overrides) if word]
    if not options.images and (options.data or options.name):
        raise ConfigError("evaluate: --data and --name belong to --images=DIR; a RUN has its own")
    if options.images:
        evaluate_folder(Path(options.images), options.data or "mnist", options.name, words, options.protocol)
    elif not options.run or "=" in options.run:
        raise ConfigError("evaluate: name a RUN, as `bench train` prints it, or another program's --images=DIR")
    elif options.protocol:
        repeat(options.run, options.protocol, options.overrides)
    else:
        reevaluate(options.run, options.overrides)


def selftest(options: argparse.Namespace) -> None:
    from bench.selftest import run

    run()


def table(options: argparse.Namespace) -> int:
    from rich.console import Console

    from bench import render, terminal
    from bench.config import table_selection
    from bench.records import read_all
    from bench.selection import select
    from bench.table import build

    folder, wanted = table_selection(options.overrides)
    made = build(select(read_all(folder), wanted), folder)
    if options.check:
        wrong = render.differing(made, folder)
        console.print("\n".join(wrong) or f"{folder}: the table is what the records give", markup=False)
        return 1 if wrong else 0
    terminal.show(made, Console(highlight=False))
    console.print(f"written: {', '.join(map(str, render.write(made, folder)))}")
    return 0


def show(options: argparse.Namespace) -> None:
    from bench.show import show as show_run

    show_run(options.run, options.overrides)


def compare(options: argparse.Namespace) -> None:
    from bench.compare import compare as compare_runs

    compare_runs(options.run, options.other, options.overrides)


def sweep(options: argparse.Namespace) -> int:
    from bench.sweep import Machines
    from bench.sweep import sweep as run_sweep

    machines = Machines(options.executor, options.jobs, options.address, options.gpus)
    return run_sweep(options.file, options.overrides, machines)


def extractor(options: argparse.Namespace) -> None:
    from bench.extractor import train_extractor

    train_extractor(options.overrides)


def listing(options: argparse.Namespace) -> None:
    from bench.listing import show

    show(options.what)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bench", description="Which family of generative models is good at what? Measured.",
        epilog="start with: bench train preset=smoke && bench table preset=smoke",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, function: object, summary: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=summary, description=summary, epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.set_defaults(function=function)
        return command

    add_runs(add)
    add_answers(add)
    add(
        "selftest", selftest, "Run the evaluator on cases with known answers: expected beside measured.",
        "bench selftest",
    )  # fmt: skip
    command = add(
        "extractor", extractor, "Train the small classifier whose features judge a data set's samples.",
        "bench extractor data=fashion_mnist data.root=~/datasets",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="data=NAME and data.*")
    command = add("list", listing, "What there is to choose from.", "bench list metrics")
    command.add_argument(
        "what", nargs="?", metavar="WHAT", help="models, datasets, samplers, presets or metrics; all if left out"
    )
    return top


def add_runs(add: Add) -> None:
    """The commands that train, sample or judge."""
    command = add(
        "train", train, "Train, evaluate and record a model, or every model of a preset.",
        "bench train model=vae data=mnist seed=1 model.latent_dim=32\n  bench train preset=quick",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=OVERRIDES)
    command = add(
        "sweep", sweep, "Run what a sweep file in W&B's format asks for and is not recorded yet, then show the table.",
        "bench sweep configs/sweep/families.yaml results=results\n  bench sweep families --executor ray --address auto",
    )  # fmt: skip
    command.add_argument("file", metavar="FILE", help="a W&B sweep file, or the name of one of configs/sweep/")
    command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="settings for all its runs")
    command.add_argument(
        "--jobs", type=int, metavar="N", help="runs at once on this machine; a GPU or a CPU core each if left out"
    )
    command.add_argument("--executor", choices=("local", "ray"), default="local", help="this machine, or Ray's cluster")
    command.add_argument("--address", metavar="A", help="of the Ray cluster; one is started here if left out")
    command.add_argument("--gpus", type=float, metavar="G", help="asked of Ray for each device of a run; may be 0.25")
    command = add(
        "evaluate", evaluate, "Evaluate a trained run again, or another program's images.",
        "bench evaluate ddpm-mnist-0-1a2b3c4d samplers.ddim-20.method=ddim samplers.ddim-20.steps=20\n"
        "  bench evaluate ddpm-mnist-0-1a2b3c4d --protocol 7c62ca1f0ed3\n"
        "  bench evaluate --images samples/ --data mnist --name stylegan evaluation.samples=2000",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", nargs="?", help="a run_id, as `bench train` prints it")
    command.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="evaluation.*, samplers.* and results=DIR"
    )
    command.add_argument(
        "--protocol", metavar="P", help="repeat exactly: a fingerprint from the records, or a JSON file"
    )
    command.add_argument("--images", metavar="DIR", help="PNG files of another program, 8-bit, of the data's size")
    command.add_argument("--data", metavar="NAME", help="the data set that --images imitate; mnist if left out")
    command.add_argument("--name", metavar="NAME", help="of the row of --images; the folder's name if left out")


def add_answers(add: Add) -> None:
    """The commands that read what is recorded."""
    command = add(
        "table", table, "Make the table from the records: printed, and written as TABLE.md, .csv, .json, .tex, .png.",
        "bench table preset=quick results=results",
    )  # fmt: skip
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="preset=, data=, protocol=, evaluation.samples=, .seed= and .chunk= choose among results=DIR",
    )
    command.add_argument("--check", action="store_true", help="write nothing; fail unless the files are up to date")
    command = add(
        "show", show, "One run: what it was, its learning curves and its figures.",
        "bench show vae-mnist-0-1744cb0c results=results/published",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", help="a run_id, as `bench train` prints it")
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where its record is")
    command = add(
        "compare", compare, "Two runs: the settings in which they differ, and their figures by difference.",
        "bench compare vae-mnist-0-1744cb0c vae-mnist-1-5d6e7f80",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN")
    command.add_argument("other", metavar="RUN")
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where their records are")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """argparse takes no key=value behind an option that follows others; here they may stand anywhere."""
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if rest and (not hasattr(options, "overrides") or any(word.startswith("-") for word in rest)):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 if a run of a sweep failed, 2 for a user's mistake, 130 after Ctrl-C."""
    options = parse(arguments)
    try:
        status: int | None = options.function(options)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted; the same command goes on from the last checkpoint[/]")
        return 130
    except Exception as error:
        from bench.explain import explain

        return explain(error)
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
