"""A sweep file and overrides -> the cells, each checked before any is started, and which of them are recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import records
from bench.config import load, run_id
from bench.plan import Step, plan
from bench.schema import Config, ConfigError
from bench.sweep.command_template import expand, template
from bench.sweep.executor import Cell
from bench.sweep.search_space import Assignment, Coordinates, SweepFile, assignments, parameters, place


@dataclass(frozen=True)
class Planned:
    """A cell and what its words come to."""

    cell: Cell
    config: Config

    @property
    def results(self) -> Path:
        return Path(self.config.results)


def all_cells(file: SweepFile, overrides: Sequence[str]) -> list[Planned]:
    """Every cell of a grid or random file; ConfigError about the first that cannot run."""
    made: list[Planned] = []
    for number, assignment in enumerate(assignments(file), 1):
        made += cells(file, overrides, assignment, number)
    return one_name_each(made)


def probes(file: SweepFile, overrides: Sequence[str]) -> list[Planned]:
    """Cells in the middle and near both ends of a bayes file's ranges, checked in the place of those it will draw."""
    shares = (0.5, 0.01, 0.99)
    known = parameters(file.parameters).items()
    return [
        cell_at(file, overrides, {key: one.coordinate(u) for key, one in known}, number)
        for number, u in enumerate(shares, 1)
    ]


def cell_at(file: SweepFile, overrides: Sequence[str], coordinates: Coordinates, number: int) -> Planned:
    """The cell at given coordinates of a file that searches one model's settings."""
    made = cells(file, overrides, place(file, coordinates), number)
    if len(made) > 1:
        raise ConfigError(f"method=bayes searches one model's settings, not those of {len(made)}; add model=NAME")
    return made[0]


def cells(file: SweepFile, overrides: Sequence[str], assignment: Assignment, number: int) -> list[Planned]:
    """One assignment as `bench train` takes it; where that trains several models each is a cell, and may fail alone."""
    group = [f"wandb.group={file.name}"] if file.name else []
    words = [*group, *expand(template(file), assignment), *overrides]
    try:
        configs = load(words)
        for config in configs:
            check_alone(config)
    except ConfigError as error:
        told = " ".join(f"{key}={value}" for key, value in assignment.items())
        raise ConfigError(f"cell {number} ({told}): {error}") from None
    return [planned(words, config, several=len(configs) > 1) for config in configs]


def check_alone(config: Config) -> None:
    """Refuse what one process of a sweep cannot give."""
    if config.trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={config.trainer.num_nodes}: a sweep runs each of its cells on one machine"
        )


def planned(words: Sequence[str], config: Config, several: bool) -> Planned:
    told = [*words, f"model={config.model['name']}"] if several else list(words)
    if not any(word.startswith("results=") for word in told):
        told.append(f"results={config.results}")
    name = run_id(config)
    return Planned(Cell(name, tuple(told), (name,), config.trainer.devices), config)


def one_name_each(made: Sequence[Planned]) -> list[Planned]:
    """Cells that come to the same configuration are one; those that only evaluate one run otherwise get a number."""
    kept: dict[str, Planned] = {}
    for one in made:
        name, number = one.cell.name, 1
        while name in kept and kept[name].config != one.config:
            number += 1
            name = f"{one.cell.name}.{number}"
        cell = Cell(name, one.cell.words, one.cell.run_ids, one.cell.devices)
        kept.setdefault(name, Planned(cell, one.config))
    return list(kept.values())


def one_folder(made: Sequence[Planned]) -> Path:
    """The results folder of all cells."""
    folders = sorted({one.config.results for one in made})
    if len(folders) > 1:
        raise ConfigError(f"its cells write to {' and '.join(folders)}; name one for all of them with results=DIR")
    return Path(folders[0])


def complete(one: Planned) -> bool:
    """Whether `bench train` would find nothing to do, as far as that is known without loading images.

    Where this says no, it may say yes in a few seconds.
    """
    return not missing(one)


def missing(one: Planned) -> list[Step]:
    """What `bench train` would do for the cell, as far as that is known without loading images."""
    return plan(one.config, records.find(one.results, run_id(one.config)))
