"""Read the arguments of `bench train` from a sweep's command, and expand them as W&B's agent does."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from bench.config.schema import ConfigError
from bench.sweep.search_space import Assignment, SweepFile

ENVIRONMENT = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
ARGUMENTS = "${args_no_hyphens}"
MACRO = re.compile(r"\$\{\w+\}")


def words(assignment: Assignment) -> list[str]:
    """Return `${args_no_hyphens}`: key=value, each value as Python's `str` writes it and YAML reads it."""
    return [f"{key}={value}" for key, value in assignment.items()]


def template(file: SweepFile) -> list[str]:
    """Return the words after `bench train` in the file's command; raise ConfigError if it runs something else."""
    command = [
        ENVIRONMENT.sub(lambda match: os.environ.get(match[1], match[1]), str(part))
        for part in (file.program if part == "${program}" else part for part in file.command)
    ]
    train = command.index("train") if "train" in command[1:] else 0
    if Path(command[train - 1]).name not in ("bench", "bench.cli.main"):
        raise ConfigError(
            f"command={' '.join(command)}: does not run `bench train`; write - ${{env}} - bench - train - {ARGUMENTS}"
        )
    arguments = command[train + 1 :]
    if macros := [word for word in arguments if MACRO.fullmatch(word) and word != ARGUMENTS]:
        raise ConfigError(f"command: {macros[0]}: `bench train` takes key=value arguments only; write {ARGUMENTS}")
    if arguments.count(ARGUMENTS) != 1:
        raise ConfigError(f"command: write {ARGUMENTS} exactly once after `bench train`")
    return arguments


def expand(arguments: list[str], assignment: Assignment) -> Iterator[str]:
    """Yield the words of `bench train` for one assignment: `arguments` with ARGUMENTS replaced by its values."""
    for word in arguments:
        if word == ARGUMENTS:
            yield from words(assignment)
        else:
            yield word
