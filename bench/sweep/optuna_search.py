"""Proposals for a bayes sweep: optuna draws the next cell from the recorded figures of those drawn before.

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
from bench.sweep.cells import Planned, cell_at
from bench.sweep.distributions import Choice
from bench.sweep.search_space import Coordinates, SweepFile, parameters, seed
from bench.table.summary import check_metric, summary

BAYES_DRAWS = 1  # keeps these seeds apart from those of space.py


class Proposals:
    """The cells of a bayes sweep in the order of their draws, which a file keeps over a stop."""

    def __init__(self, file: SweepFile, stem: str, overrides: Sequence[str], results: Path) -> None:
        optuna()
        assert file.metric is not None
        check_metric(file.metric.name)
        self.file, self.overrides, self.results = file, overrides, results
        self.name = f"{stem}-{digest(file, overrides)}"
        self.kept = ResultsFolder(results).sweep(self.name)
        self.drawn: list[Coordinates] = []

    def load(self) -> None:
        """Take up what an earlier sweep of this file has drawn."""
        if self.kept.exists():
            self.drawn = json.loads(self.kept.read_text())["drawn"]

    def cells(self) -> list[Planned]:
        """All that was drawn so far."""
        return [cell_at(self.file, self.overrides, at, number) for number, at in enumerate(self.drawn, 1)]

    def next(self) -> Planned | None:
        """Draw and keep another cell, unless there are as many as run_cap allows."""
        assert self.file.run_cap is not None
        if len(self.drawn) >= self.file.run_cap:
            return None
        self.drawn.append(propose(self.file, self.drawn, [self.figure(cell) for cell in self.cells()]))
        write_text(self.kept, json.dumps({"drawn": self.drawn}, indent=1) + "\n")
        return self.cells()[-1]

    def figure(self, cell: Planned) -> float | None:
        """The metric of a cell, None as long as it is not recorded."""
        assert self.file.metric is not None
        record = find(self.results, cell.cell.run_id)
        return summary(record).get(self.file.metric.name) if record else None


def digest(file: SweepFile, overrides: Sequence[str]) -> str:
    """Of what the draws depend on; a greater run_cap goes on with the same ones."""
    parts = file.model_dump(include={"parameters", "command", "metric", "program"})
    return hashlib.sha256(json.dumps([parts, *overrides], sort_keys=True, default=str).encode()).hexdigest()[:8]


def propose(file: SweepFile, drawn: Sequence[Coordinates], figures: Sequence[float | None]) -> Coordinates:
    """Where to look next: a function of the file and of what is known of the draws before.

    A cell without a figure, because it still runs or has failed, counts as a bad one, so that others keep away.
    """
    library = optuna()
    assert file.metric is not None
    space = {
        key: library.distributions.CategoricalDistribution(tuple(range(len(parameter.values))))
        if isinstance(parameter, Choice)
        else library.distributions.FloatDistribution(0.0, 1.0)
        for key, parameter in parameters(file.parameters).items()
    }
    start = int(seed(file, BAYES_DRAWS, len(drawn)).generate_state(1)[0])
    study = library.create_study(
        direction=file.metric.goal, sampler=library.samplers.TPESampler(seed=start, constant_liar=True)
    )
    for coordinates, figure in zip(drawn, figures, strict=True):
        state = library.trial.TrialState.RUNNING if figure is None else library.trial.TrialState.COMPLETE
        study.add_trial(library.trial.create_trial(
            state=state, params=coordinates, distributions=space, value=figure
        ))  # fmt: skip
    return dict(study.ask(space).params)


def optuna() -> Any:
    """The library, quiet; ConfigError where it is not installed."""
    try:
        import optuna as library
    except ImportError:
        raise ConfigError("method=bayes: needs optuna; install it with pip install optuna") from None
    library.logging.set_verbosity(library.logging.WARNING)
    return library
