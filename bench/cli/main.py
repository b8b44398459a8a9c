"""The command line: its commands in order, how their words are parsed, and how a command ends."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from bench.runtime import load
from bench.runtime.allocator import reuse_freed_memory
from bench.runtime.signals import signals_as_exceptions, status
from bench.runtime.streams import is_closed_pipe, replace_unencodable
from bench.runtime.threads import fit_threads

COMMANDS = (  # modules of this package, in the order of `bench --help`
    "train", "sweep", "evaluate", "steps", "guidance", "sample", "table", "show", "compare", "report", "wandb",
    "extractor", "reference", "selftest", "speed", "list", "check",
)  # fmt: skip
READERS = {"table", "show", "compare", "report", "list"}  # their work is done before they print
COMPUTING = {  # with torch, in this process
    "train", "evaluate", "steps", "guidance", "sample", "extractor", "reference", "selftest", "check",
}  # fmt: skip
START = """\
start here:
  bench train preset=smoke    train a small model of every kind (two minutes)
  bench table preset=smoke    compare them; the table is also in results/smoke/
  bench COMMAND --help        explain a command and show examples

commands:
"""


class Command(Protocol):
    """What the module of a command holds; its docstring is the command's help, the first line its summary."""

    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments to its parser."""

    def run(self, options: argparse.Namespace) -> int | None:
        """Run the command; None is exit status 0."""


class Version(argparse.Action):
    """Print the version, which needs a call of git, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from bench.cli.version import version_line

        print(version_line())
        parser.exit()


def command(name: str) -> Command:
    """Import the module of a command; modules import what they run only when they run it."""
    return cast(Command, import_module(f"bench.cli.{name}"))


def help_of(name: str) -> str:
    """The help text of a command: the docstring of its module."""
    return (command(name).__doc__ or "").strip()


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of `bench` with the named commands only."""
    summaries = "\n".join(f"    {name:<10} {help_of(name).partition(chr(10))[0]}" for name in names)
    top = argparse.ArgumentParser(
        prog="bench", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=START + summaries,
        description="Which family of generative models is good at what? Train models, evaluate them\n"
                    "under one protocol, and compare them in one table.",
    )  # fmt: skip
    top.add_argument("--version", action=Version, nargs=0, help="show the version and the commit of bench")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", help="see below")
    for name in names:
        examples = "\n".join(f"  {line}" for line in command(name).EXAMPLES.strip().splitlines())
        subparser = commands.add_parser(
            name, description=help_of(name), epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command(name).add_arguments(subparser)
    return top


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command and its words; only the module of a command that is named first is imported.

    argparse accepts no key=value behind an option that follows another key=value; here they may stand anywhere.
    """
    top = parser(arguments[:1] if set(arguments[:1]) & set(COMMANDS) else COMMANDS)
    options, rest = top.parse_known_args(arguments)
    if rest and (not hasattr(options, "overrides") or any(word.startswith("-") for word in rest)):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: success. 1: a run of a sweep failed, or a check did. 2: a mistake of the user. 130: Ctrl-C. 143: SIGTERM.
    """
    began = load.read()
    options = parse(sys.argv[1:] if arguments is None else arguments)
    reuse_freed_memory()
    replace_unencodable(sys.stdout, sys.stderr)
    try:
        with signals_as_exceptions():
            if options.command in COMPUTING:
                fit_threads(began)
            code = command(options.command).run(options)
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        from bench.runtime.console import console

        console.print("[yellow]stopped; everything measured so far is recorded, and the same command resumes[/]")
        return status(stop)
    except (BrokenPipeError, SystemExit) as end:
        if not is_closed_pipe(end):
            raise
        return 0 if options.command in READERS else 1
    except Exception as error:
        from bench.cli.errors import explain

        return explain(error)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
