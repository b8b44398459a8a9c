"""Propose the cells of a bayes sweep: optuna draws the next one from the recorded figures of earlier draws.

W&B proposes from a Gaussian process; here it is optuna's tree-structured Parzen estimator, over the same coordinates
(shares of each parameter's own distribution), so the two propose different runs from the same file.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.config.schema import ConfigError
from bench.results.layout import ResultsFolder
from bench.results.records import find
from bench.runtime.files import write_text
from bench.sweep.cells import PlannedCell, cell_at
from bench.sweep.distributions import Choice
from bench.sweep.search_space import Coordinates, SweepFile, parse_parameters, seed
from bench.table.summary import check_metric, summary

BAYES_DRAWS = 1  # keeps these seeds apart from those of search_space.py


class Proposals:
    """The cells of a bayes sweep in the order of their draws, which are saved so that a stopped sweep continues."""

    def __init__(self, file: SweepFile, stem: str, overrides: Sequence[str], results: Path) -> None:
        optuna()
        assert file.metric is not None
        check_metric(file.metric.name)
        self.file, self.overrides, self.results = file, overrides, results
        self.name = f"{stem}-{digest(file, overrides)}"
        self.path = ResultsFolder(results).sweep(self.name)
        self.draws: list[Coordinates] = []

    def load(self) -> None:
        """Load the draws of an earlier sweep of this file."""
        if self.path.exists():
            self.draws = json.loads(self.path.read_text())["drawn"]

    def cells(self) -> list[PlannedCell]:
        """Return the cells of all draws so far."""
        return [
            cell_at(self.file, self.overrides, coordinates, number) for number, coordinates in enumerate(self.draws, 1)
        ]

    def next(self) -> PlannedCell | None:
        """Draw another cell and save the draw; return None once there are as many as run_cap allows."""
        assert self.file.run_cap is not None
        if len(self.draws) >= self.file.run_cap:
            return None
        self.draws.append(propose(self.file, self.draws, [self.figure(cell) for cell in self.cells()]))
        write_text(self.path, json.dumps({"drawn": self.draws}, indent=1) + "\n")
        return self.cells()[-1]

    def figure(self, cell: PlannedCell) -> float | None:
        """Return the metric of a cell, None as long as it is not recorded."""
        assert self.file.metric is not None
        record = find(self.results, cell.cell.run_id)
        return summary(record).get(self.file.metric.name) if record else None


def digest(file: SweepFile, overrides: Sequence[str]) -> str:
    """Return a digest of what the draws depend on; run_cap is no part of it, so a greater one adds to them."""
    parts = file.model_dump(include={"parameters", "command", "metric", "program"})
    return hashlib.sha256(json.dumps([parts, *overrides], sort_keys=True, default=str).encode()).hexdigest()[:8]


def propose(file: SweepFile, draws: Sequence[Coordinates], figures: Sequence[float | None]) -> Coordinates:
    """Return the coordinates of the next cell, a function of the file, the earlier draws and their figures.

    A cell without a figure, because it still runs or has failed, counts as a bad one, so that others keep away.
    """
    library = optuna()
    assert file.metric is not None
    space = {
        key: library.distributions.CategoricalDistribution(tuple(range(len(parameter.values))))
        if isinstance(parameter, Choice)
        else library.distributions.FloatDistribution(0.0, 1.0)
        for key, parameter in parse_parameters(file.parameters).items()
    }
    sampler_seed = int(seed(file, BAYES_DRAWS, len(draws)).generate_state(1)[0])
    study = library.create_study(
        direction=file.metric.goal, sampler=library.samplers.TPESampler(seed=sampler_seed, constant_liar=True)
    )
    for coordinates, figure in zip(draws, figures, strict=True):
        state = library.trial.TrialState.RUNNING if figure is None else library.trial.TrialState.COMPLETE
        study.add_trial(library.trial.create_trial(
            state=state, params=coordinates, distributions=space, value=figure
        ))  # fmt: skip
    return dict(study.ask(space).params)


def optuna() -> Any:
    """Return the library with its log silenced; raise ConfigError if it is not installed."""
    try:
        import optuna as library
    except ImportError:
        raise ConfigError("method=bayes: needs optuna; install it with pip install optuna") from None
    library.logging.set_verbosity(library.logging.WARNING)
    return library
