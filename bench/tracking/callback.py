"""What W&B sees of a training while it goes on: its curves, and the same samples at several moments."""

import time
from pathlib import Path
from typing import Any

import lightning as L

from bench.config.devices import budget
from bench.config.schema import Config, samplers
from bench.evaluation.keys import seeded
from bench.evaluation.samples import quantise
from bench.plots.image_grid import save
from bench.plots.model_pictures import save_grid
from bench.plots.sample_pictures import scatter
from bench.tracking.log import GRIDS, grids, history
from bench.tracking.session import Session
from bench.training.callbacks import Curves, Untimed, at_point, averages_in_place, callback
from datamodules.mixtures import Mixture
from models.base import GenerativeModel

MOMENTS = 8  # of a training at which its samples are drawn, the last at its end
IMAGES, POINTS = 16, 500  # that a moment's grid, or scatter of points, is made of


class WandbCallback(Untimed):
    """Tells the session each point of the curves as it is logged, and draws and tells a sample grid at each moment.

    The grids come from one seed, from the averaged weights if there are any, by the cheapest of the run's samplers, and
    do not touch the training's random numbers. They are kept in `folder`, from which a resumed run tells them again
    where W&B has not got them: a run kept offline is then one file that holds all of it.
    """

    def __init__(self, session: Session, config: Config, folder: Path) -> None:
        super().__init__()
        self.session, self.config, self.folder, self.budget = session, config, folder, budget(config)

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, GenerativeModel)
        known = {name: list(values) for name, values in callback(trainer, Curves).points.items()}
        kept, until = grids(self.folder), pl_module.images_seen
        if not until:
            self.session.tell(lambda run: self.warn())
        self.session.tell(lambda run: history(run, self.session, known, kept, until))

    def warn(self) -> None:
        """A training that begins anew under a run that W&B has points of."""
        if self.session.known:
            self.session.say(
                f"has this run up to {self.session.known:,.0f} images already, and keeps its points up to there; "
                "if what is trained now is not the same, delete the run in W&B"
            )

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        seen = pl_module.images_seen
        newest: dict[str, list[float]] = {}
        drawn: list[Path] = []
        if at_point(trainer):
            newest = {name: values[-1:] for name, values in callback(trainer, Curves).points.items()}
        before = seen - len(batch[0]) * trainer.world_size
        if seen * MOMENTS // self.budget > before * MOMENTS // self.budget:
            with averages_in_place(trainer, pl_module):
                drawn = self.drawn(pl_module, trainer.datamodule, seen)  # type: ignore[attr-defined]
        if newest or drawn:
            self.session.tell(lambda run: history(run, self.session, newest, drawn, seen))

    def drawn(self, model: GenerativeModel, data: Any, seen: int) -> list[Path]:
        """The file of this moment's samples; none, and a word about it, if they cannot be drawn."""
        file, started = self.folder / GRIDS / f"{seen:09}.png", time.monotonic()
        try:
            self.draw(model, data, file)
        except Exception as error:
            self.session.note(error)
            return []
        finally:
            self.seconds += time.monotonic() - started
        return [file]

    def draw(self, model: GenerativeModel, data: Any, file: Path) -> None:
        """Write the samples of this moment."""
        settings = min(samplers(self.config).values(), key=lambda one: model.passes(**one))
        generator = seeded(model.device, "pictures", self.config.evaluation.seed)
        if isinstance(data, Mixture):
            save(scatter(model.sample(POINTS, generator, **settings).cpu(), data), file)
        else:
            save_grid(quantise(model.sample(IMAGES, generator, **settings).cpu()), file)
