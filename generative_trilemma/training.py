"""Train a model from Python."""

from pathlib import Path

from bench.results.records import Record
from bench.runtime.errors import InputError
from generative_trilemma.settings import Setting, input_errors, words


def train(model: str, /, data: str | None = None, **settings: Setting) -> Record:
    """Train, evaluate and record one model, as `bench train` does, and return its record.

    model: a name that `bench list models` shows, or the place of a class of yours, as in "./mine.py:Mine".
    data: likewise a data set; None: the preset's, which is MNIST for most.
    settings: `preset`, `seed`, `results` and all others of `bench train`. Two underscores stand for a dot, as in
    `train__images=640` or `model__latent_dim=8`.

    A finished run is not repeated, and a stopped one resumes: call it with the same arguments. Files are written to
    the results folder, and torch's global random state is changed. Raises InputError for a mistake, before any
    training; `bench.training.callbacks.Diverged` where the weights become NaN or infinite; and
    `bench.training.fit.Interrupted` where a signal stops the training.
    """
    from bench.config.load import load
    from bench.results import records
    from bench.results.identity import run_id
    from bench.runs.run import run_config

    with input_errors():
        named = {"model": model} | ({} if data is None else {"data": data})
        (config,) = load(words(named | settings))
        if (processes := config.trainer.devices * config.trainer.num_nodes) > 1:
            raise InputError(
                f"trainer: {processes} processes cannot be started from Python; use `bench train` for them",
                key="trainer.devices", value=config.trainer.devices,
            )  # fmt: skip
        run_config(config)
    record = records.find(Path(config.results), run_id(config))
    assert record is not None
    return record
