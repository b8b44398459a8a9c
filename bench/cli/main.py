"""The command line: what the commands are called, what they take, and how they end."""

import argparse
import sys
from collections.abc import Callable, Sequence

from bench.cli import commands as do
from bench.runtime.allocator import keep_freed
from bench.runtime.console import console
from bench.runtime.signals import raised, status
from bench.runtime.streams import closed_pipe, lenient


class Version(argparse.Action):
    """Print the version, which takes a call of git, and end."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from bench.cli.version import version_line

        print(version_line())
        parser.exit()


Add = Callable[[str, object, str, str], argparse.ArgumentParser]  # name, function, summary, example -> its own parser
READERS = (do.table, do.show, do.compare, do.report, do.listing)  # done with their work before they print
OVERRIDES = "settings as key=value; model=, data= and preset= pick files of configs/"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bench", description="Which family of generative models is good at what? Measured.",
        epilog="start with: bench train preset=smoke && bench table preset=smoke",
    )  # fmt: skip
    top.add_argument("--version", action=Version, nargs=0, help="show the version and the commit of this bench")
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
    command = add(
        "selftest", do.selftest, "Run the evaluator on cases with known answers: expected beside measured.",
        "bench selftest\n  bench selftest --study intervals",
    )  # fmt: skip
    command.add_argument("--study", metavar="NAME", help="run the simulation behind a claim of docs/ again instead")
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where a study is written")
    command = add(
        "extractor", do.extractor, "Train the small classifier whose features judge a data set's samples.",
        "bench extractor data=cifar10 data.root=~/datasets",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help="data=NAME, data.* and seed")
    command = add(
        "speed", do.speed, "Measure what the machinery costs, beside its limits and other libraries, as ratios.",
        "bench speed\n  bench speed training sampling results=results\n\n"
        "questions: startup, training, sampling, evaluation, loop.\n"
        "The other libraries: pip install -e '.[speed]'",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="QUESTION", help="which; and results=DIR")
    command = add("list", do.listing, "What there is to choose from.", "bench list metrics")
    command.add_argument(
        "what", nargs="?", metavar="WHAT", help="models, datasets, samplers, presets or metrics; all if left out"
    )
    return top


def add_runs(add: Add) -> None:
    """The commands that train, sample or judge."""
    command = add(
        "train", do.train, "Train, evaluate and record a model, or every model of a preset.",
        "bench train model=vae data=mnist seed=1 model.latent_dim=32\n  bench train preset=quick",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="key=value", help=OVERRIDES)
    command = add(
        "sweep", do.sweep, "Run what a sweep file in W&B's format asks for and is not recorded; show the table.",
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
        "evaluate", do.evaluate, "Evaluate a trained run again, or another program's images.",
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
        "table", do.table, "Make the table from the records: printed, and as TABLE.md, .csv, .json, .tex, .png.",
        "bench table preset=quick results=results",
    )  # fmt: skip
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="preset=, data=, protocol=, evaluation.samples=, .seed= and .chunk= choose among results=DIR",
    )
    how = command.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="write nothing; fail unless the files are up to date")
    how.add_argument("--against", metavar="DIR", help="write nothing; which figures are not those of another folder?")
    command = add(
        "show", do.show, "One run: what it was, its learning curves and its figures.",
        "bench show vae-mnist-0-1744cb0c results=results/published",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN", help="a run_id, as `bench train` prints it")
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where its record is")
    command = add(
        "compare", do.compare, "Two runs: the settings in which they differ, and their figures by difference.",
        "bench compare vae-mnist-0-1744cb0c vae-mnist-1-5d6e7f80",
    )  # fmt: skip
    command.add_argument("run", metavar="RUN")
    command.add_argument("other", metavar="RUN")
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where their records are")
    command = add(
        "report", do.report, "All that is recorded as one HTML page: tables, charts, curves, pictures, protocols.",
        "bench report results=results\n  bench report --serve",
    )  # fmt: skip
    command.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="where the records are")
    how = command.add_mutually_exclusive_group()
    how.add_argument("--serve", action="store_true", help="write nothing; show it live in a browser while runs go on")
    how.add_argument("--check", action="store_true", help="write nothing; fail unless report.html is up to date")
    command.add_argument(
        "--port", type=int, metavar="N", help=f"of --serve, {do.PORT} if left out; 0 for any that is free"
    )
    command = add(
        "wandb", do.wandb, "Send recorded runs and their table to W&B, or build the comparison there as a report.",
        "bench wandb push results=results preset=quick\n  bench wandb report preset=quick wandb.project=my-project",
    )  # fmt: skip
    command.add_argument("what", choices=("push", "report"), help="push: runs, each once; report: a page in W&B")
    command.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="results=DIR, preset=, data=, wandb.mode, wandb.project",
    )


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
    """Run one command, and return its exit status.

    0 when it worked, 1 if a run of a sweep failed, 2 for a user's mistake, 130 after Ctrl-C, 143 after SIGTERM.
    """
    options = parse(arguments)
    keep_freed()
    lenient(sys.stdout, sys.stderr)
    try:
        with raised():
            code: int | None = options.function(options)
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        console.print("[yellow]stopped; what is measured is recorded, and the same command goes on from there[/]")
        return status(stop)
    except (BrokenPipeError, SystemExit) as end:
        if not closed_pipe(end):
            raise
        return 0 if options.function in READERS else 1
    except Exception as error:
        from bench.cli.errors import explain

        return explain(error)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
