"""Send a running training's curves to W&B, and samples from one seed at several moments."""

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

MOMENTS = 8  # of a training at which samples are drawn, the last at its end
IMAGES, POINTS = 16, 500  # of a moment's grid, or scatter of points


class WandbCallback(Untimed):
    """Sends each logged point of the curves to the session, and a sample grid at each moment.

    The grids come from one seed, from the averaged weights if there are any, by the cheapest of the run's samplers, and
    do not use the training's random numbers. They are written to `folder`, from which a resumed run sends those that
    W&B lacks: a run kept offline is then one file with all of it.
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
        curves = {name: list(values) for name, values in callback(trainer, Curves).points.items()}
        files, until = grids(self.folder), pl_module.images_seen
        if not until:
            self.session.tell(lambda run: self.warn())
        self.session.tell(lambda run: history(run, self.session, curves, files, until))

    def warn(self) -> None:
        """Warn if a training starts from the beginning although W&B has points of this run."""
        if self.session.images_sent:
            self.session.say(
                f"already has points of this run up to {self.session.images_sent:,.0f} images, and keeps them; "
                "if this training differs, delete the run in W&B"
            )

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        images_seen = pl_module.images_seen
        newest: dict[str, list[float]] = {}
        new_grids: list[Path] = []
        if at_point(trainer):
            newest = {name: values[-1:] for name, values in callback(trainer, Curves).points.items()}
        before = images_seen - len(batch[0]) * trainer.world_size
        if images_seen * MOMENTS // self.budget > before * MOMENTS // self.budget:
            with averages_in_place(trainer, pl_module):
                new_grids = self.moment_grid(pl_module, trainer.datamodule, images_seen)  # type: ignore[attr-defined]
        if newest or new_grids:
            self.session.tell(lambda run: history(run, self.session, newest, new_grids, images_seen))

    def moment_grid(self, model: GenerativeModel, data: Any, images_seen: int) -> list[Path]:
        """Return the file of this moment's samples; none, and a message, if they cannot be drawn."""
        file, started = self.folder / GRIDS / f"{images_seen:09}.png", time.monotonic()
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
        settings = min(samplers(self.config).values(), key=lambda sampler: model.passes(**sampler))
        generator = seeded(model.device, "pictures", self.config.evaluation.seed)
        if isinstance(data, Mixture):
            save(scatter(model.sample(POINTS, generator, **settings).cpu(), data), file)
        else:
            save_grid(quantise(model.sample(IMAGES, generator, **settings).cpu()), file)
