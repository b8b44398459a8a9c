"""What a sweep's command tells `bench train`, expanded as W&B's agent does."""

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
    """`${args_no_hyphens}`: key=value with Python's own way of writing a value, which the overrides' YAML reads."""
    return [f"{key}={value}" for key, value in assignment.items()]


def template(file: SweepFile) -> list[str]:
    """The words behind `bench train` in the file's command; ConfigError if it runs something else."""
    said = [
        ENVIRONMENT.sub(lambda found: os.environ.get(found[1], found[1]), str(part))
        for part in (file.program if part == "${program}" else part for part in file.command)
    ]
    train = said.index("train") if "train" in said[1:] else 0
    if Path(said[train - 1]).name not in ("bench", "bench.cli.main"):
        raise ConfigError(
            f"command={' '.join(said)}: runs no `bench train`; write - ${{env}} - bench - train - {ARGUMENTS}"
        )
    rest = said[train + 1 :]
    if wrong := [word for word in rest if MACRO.fullmatch(word) and word != ARGUMENTS]:
        raise ConfigError(f"command: {wrong[0]}: `bench train` takes key=value words; write {ARGUMENTS}")
    if rest.count(ARGUMENTS) != 1:
        raise ConfigError(f"command: give {ARGUMENTS} once behind `bench train`")
    return rest


def expand(rest: list[str], assignment: Assignment) -> Iterator[str]:
    """The words that `bench train` is told for one assignment."""
    for word in rest:
        if word == ARGUMENTS:
            yield from words(assignment)
        else:
            yield word
