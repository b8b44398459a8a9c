"""A sweep file and overrides -> the cells, each checked before any is started, and what each of them lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.config.load import load
from bench.config.schema import Config, ConfigError
from bench.results import records
from bench.results.identity import run_id
from bench.runs.plan import Step, plan
from bench.sweep.command_template import expand, template
from bench.sweep.executor import Cell
from bench.sweep.search_space import Assignment, Coordinates, SweepFile, assignments, parameters, place


@dataclass(frozen=True)
class Planned:
    """A cell and the configuration that its words give."""

    cell: Cell
    config: Config

    @property
    def results(self) -> Path:
        return Path(self.config.results)


def all_cells(file: SweepFile, overrides: Sequence[str]) -> list[Planned]:
    """Every cell of a grid or random file; ConfigError about the first that cannot run."""
    found: list[Planned] = []
    for number, assignment in enumerate(assignments(file), 1):
        found += cells(file, overrides, assignment, number)
    return distinct(found)


def probes(file: SweepFile, overrides: Sequence[str]) -> list[Planned]:
    """Cells in the middle and near both ends of a bayes file's ranges: checked in place of those that it will draw."""
    shares = (0.5, 0.01, 0.99)
    ranges = parameters(file.parameters).items()
    return [
        cell_at(file, overrides, {key: parameter.coordinate(share) for key, parameter in ranges}, number)
        for number, share in enumerate(shares, 1)
    ]


def cell_at(file: SweepFile, overrides: Sequence[str], coordinates: Coordinates, number: int) -> Planned:
    """The cell at given coordinates of a file that searches one model's settings."""
    found = cells(file, overrides, place(file, coordinates), number)
    if len(found) > 1:
        raise ConfigError(f"method=bayes searches one model's settings, not those of {len(found)}; add model=NAME")
    return found[0]


def cells(file: SweepFile, overrides: Sequence[str], assignment: Assignment, number: int) -> list[Planned]:
    """The cells of one assignment: one for each model that `bench train` would train, so that each may fail alone."""
    group = [f"wandb.group={file.name}"] if file.name else []
    words = [*group, *expand(template(file), assignment), *overrides]
    try:
        configs = load(words)
        for config in configs:
            check_alone(config)
    except ConfigError as error:
        values = " ".join(f"{key}={value}" for key, value in assignment.items())
        raise ConfigError(f"cell {number} ({values}): {error}") from None
    return [planned(words, config, several=len(configs) > 1) for config in configs]


def check_alone(config: Config) -> None:
    """Refuse what a cell, which runs on one machine, cannot give."""
    if config.trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={config.trainer.num_nodes}: a sweep runs each of its cells on one machine"
        )


def planned(words: Sequence[str], config: Config, several: bool) -> Planned:
    """The cell of a configuration; `words` may configure several models."""
    arguments = [*words, f"model={config.model['name']}"] if several else list(words)
    if not any(word.startswith("results=") for word in arguments):
        arguments.append(f"results={config.results}")
    name = run_id(config)
    return Planned(Cell(name, tuple(arguments), name, config.trainer.devices), config)


def distinct(found: Sequence[Planned]) -> list[Planned]:
    """Each configuration once; cells that differ only in how they evaluate one run get numbered names."""
    kept: dict[str, Planned] = {}
    for entry in found:
        name, number = entry.cell.name, 1
        while name in kept and kept[name].config != entry.config:
            number += 1
            name = f"{entry.cell.name}.{number}"
        kept.setdefault(name, Planned(replace(entry.cell, name=name), entry.config))
    return list(kept.values())


def common_folder(cells: Sequence[Planned]) -> Path:
    """The results folder of all cells."""
    folders = sorted({entry.config.results for entry in cells})
    if len(folders) > 1:
        raise ConfigError(f"its cells write to {' and '.join(folders)}; name one for all of them with results=DIR")
    return Path(folders[0])


def missing(cell: Planned) -> list[Step]:
    """What `bench train` would do for the cell, as far as that is known without loading images; [] if complete."""
    return plan(cell.config, records.find(cell.results, cell.cell.run_id))
