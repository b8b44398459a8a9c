"""Turn a sweep file and overrides into cells, check each before any is started, and say what each of them lacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.config.load import load
from bench.config.schema import Config, ConfigError
from bench.results import records
from bench.results.identity import run_id
from bench.runs.plan import Step, plan, without_timings
from bench.sweep.command_template import expand, template
from bench.sweep.executor import Cell
from bench.sweep.search_space import Assignment, Coordinates, SweepFile, assignment_at, assignments, parse_parameters


@dataclass(frozen=True)
class PlannedCell:
    """A cell and the configuration that its words give."""

    cell: Cell
    config: Config

    @property
    def results(self) -> Path:
        """The results folder of the cell."""
        return Path(self.config.results)


def all_cells(file: SweepFile, overrides: Sequence[str]) -> list[PlannedCell]:
    """Return every cell of a grid or random file; raise ConfigError about the first that cannot run."""
    cells: list[PlannedCell] = []
    for number, assignment in enumerate(assignments(file), 1):
        cells += cells_of(file, overrides, assignment, number)
    return distinct(cells)


def probes(file: SweepFile, overrides: Sequence[str]) -> list[PlannedCell]:
    """Return cells in the middle and near both ends of a bayes file's ranges.

    They are checked in place of the cells that the search will propose.
    """
    shares = (0.5, 0.01, 0.99)
    parameters = parse_parameters(file.parameters).items()
    return [
        cell_at(file, overrides, {key: parameter.coordinate(share) for key, parameter in parameters}, number)
        for number, share in enumerate(shares, 1)
    ]


def cell_at(file: SweepFile, overrides: Sequence[str], coordinates: Coordinates, number: int) -> PlannedCell:
    """Return the cell at these coordinates of a file that searches one model's settings."""
    cells = cells_of(file, overrides, assignment_at(file, coordinates), number)
    if len(cells) > 1:
        raise ConfigError(
            f"method=bayes searches the settings of one model, but this file trains {len(cells)}; add model=NAME"
        )
    return cells[0]


def cells_of(file: SweepFile, overrides: Sequence[str], assignment: Assignment, number: int) -> list[PlannedCell]:
    """Return the cells of one assignment: one for each model that `bench train` would train.

    So a model can fail without the others. number: of the assignment in the file, for messages.
    """
    group = [f"wandb.group={file.name}"] if file.name else []
    words = [*group, *expand(template(file), assignment), *overrides]
    try:
        configs = load(words)
        for config in configs:
            check_machine_count(config)
    except ConfigError as error:
        values = " ".join(f"{key}={value}" for key, value in assignment.items())
        raise error.prefixed(f"cell {number} ({values})") from None
    return [planned_cell(words, config, add_model=len(configs) > 1) for config in configs]


def check_machine_count(config: Config) -> None:
    """Refuse a run over several machines."""
    if config.trainer.num_nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={config.trainer.num_nodes}: a sweep runs each cell on one machine; "
            "choose trainer.num_nodes=1"
        )


def planned_cell(words: Sequence[str], config: Config, add_model: bool) -> PlannedCell:
    """Return the cell of a configuration. add_model: name the model, because `words` configure several."""
    arguments = [*words, f"model={config.model['name']}"] if add_model else list(words)
    if not any(word.startswith("results=") for word in arguments):
        arguments.append(f"results={config.results}")
    name = run_id(config)
    return PlannedCell(Cell(name, tuple(arguments), name, config.trainer.devices), config)


def distinct(cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Return each configuration once; number the names of cells that differ only in how they evaluate one run."""
    cells_by_name: dict[str, PlannedCell] = {}
    for cell in cells:
        name, number = cell.cell.name, 1
        while name in cells_by_name and cells_by_name[name].config != cell.config:
            number += 1
            name = f"{cell.cell.name}.{number}"
        cells_by_name.setdefault(name, PlannedCell(replace(cell.cell, name=name), cell.config))
    return list(cells_by_name.values())


def common_folder(cells: Sequence[PlannedCell]) -> Path:
    """Return the results folder of all cells; raise ConfigError if they have several."""
    folders = sorted({cell.config.results for cell in cells})
    if len(folders) > 1:
        raise ConfigError(f"the cells write to {' and '.join(folders)}; choose one folder for all with results=DIR")
    return Path(folders[0])


def missing_steps(cell: PlannedCell) -> list[Step]:
    """Return what `bench train` would do for the cell, as far as known without loading images; [] if complete."""
    return plan(cell.config, records.find(cell.results, cell.cell.run_id))


def missing_but_timings(cell: PlannedCell) -> list[Step]:
    """Return the missing steps that need no machine to themselves."""
    return without_timings(missing_steps(cell))


def is_recorded(cell: PlannedCell) -> bool:
    """Return whether the cell has a record, complete or not."""
    return records.find(cell.results, cell.cell.run_id) is not None
