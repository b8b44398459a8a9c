"""What W&B is told of a run: functions of an open W&B run and of what is known."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.plots.captions import CAPTIONS
from bench.results.layout import ResultsFolder, row_file
from bench.results.records import Record, path
from bench.runtime.files import visible
from bench.table.aggregate import names
from bench.table.build import steps
from bench.table.columns import COLUMNS
from bench.table.rows import Row, gather
from bench.table.summary import intervals, summary

if TYPE_CHECKING:
    import wandb
    from wandb import Run

    from bench.tracking.session import Session

SAMPLES = "samples"  # the key of the grids at fixed seeds over the training
GRIDS = "samples-over-training"  # and the folder in which a run keeps them, as IMAGES_SEEN.png
COMPARISON = "comparison"  # the key of a run's own rows: tables of several runs under one key are one table in W&B
TABLE = "table"  # and that of the table's run, which has a line for all seeds of a row
KEYS = [column.key for column in COLUMNS]


def history(
    run: "Run", session: "Session", curves: Mapping[str, Sequence[float]], grids: Sequence[Path], until: float
) -> None:
    """Every point of the curves and every grid up to `until` images seen that W&B has not got, in their order."""
    events: dict[float, dict[str, Any]] = defaultdict(dict)
    for seen, values in points(curves):
        events[seen] |= values
    for file in grids:
        events[float(file.stem)][SAMPLES] = file
    for seen in sorted(seen for seen in events if session.known < seen <= until):
        drawn = {SAMPLES: grid_of(events[seen][SAMPLES])} if SAMPLES in events[seen] else {}
        run.log({"images_seen": seen, **events[seen], **drawn})
        session.known = seen


def points(curves: Mapping[str, Sequence[float]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """(images seen, name -> value) of each point; `train/loss` is every family's objective, its parts stand beside."""
    for at, seen in enumerate(curves.get("images_seen", ())):
        yield seen, {f"train/{name}": values[at] for name, values in curves.items() if name != "images_seen"}


def grid_of(file: Path) -> "wandb.Image":
    import wandb

    return wandb.Image(str(file), caption=f"{int(file.stem):,} images seen, the same seed each time")


def grids(folder: Path) -> list[Path]:
    """The sample grids that a run's folder holds, in their order."""
    return visible(folder / GRIDS, "*.png")


def digest(record: Record) -> str:
    """Equal for records that are alike in all they hold; for references, which each folder makes anew, in figures."""
    if not record.images_seen:
        figures = {key: result.metrics for key, result in record.results.items()}
        abilities = {key: ability.figures for key, ability in record.abilities.items()}
        return digest_of(json.dumps([figures, abilities], sort_keys=True))
    return digest_of(json.dumps(record.model_dump(), sort_keys=True))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def log_record(run: "Run", session: "Session", record: Record, results: Path) -> None:
    """All that a record and the files beside it hold, less what W&B has already."""
    import wandb

    folder = ResultsFolder(results).run(record.run_id)
    history(run, session, record.curves, grids(folder), record.images_seen)
    drawn = visible(ResultsFolder(results).pictures(record.run_id), "*.png")
    shown = {f"pictures/{file.stem}": wandb.Image(str(file), caption=CAPTIONS.get(file.stem)) for file in drawn}
    run.log({"images_seen": record.images_seen, COMPARISON: of_run(record, results), **shown})
    wait_for_upload(artifacts(run, record, results), session)
    if run.summary.get("failed"):  # an earlier try
        del run.summary["failed"]
    run.summary.update(summary(record) | intervals(record) | {"family": record.family})
    finish(run, session, digest(record))


def wait_for_upload(sent: Sequence["wandb.Artifact"], session: "Session") -> None:
    """Wait until W&B has the artifacts, which are sent on the side; raises if it refuses one."""
    for artifact in sent if session.mode == "online" else ():
        artifact.wait()


def finish(run: "Run", session: "Session", told: str) -> None:
    """Say last what was told, so that a run that carries it has all of it."""
    run.summary["record"] = session.digest = told


def of_run(record: Record, results: Path) -> "wandb.Table":
    """The record's rows of the comparison, with their samples; equal columns for every run."""
    import wandb

    rows = sorted(gather([record], names([record])), key=steps)
    folder = ResultsFolder(results).pictures(record.run_id)
    table = wandb.Table(columns=["run", *HEADINGS, "samples"])
    for row in rows:
        file = row_file(folder, "samples", row.sampler)
        table.add_data(
            record.run_id,
            *line(row, record.config["data"]["name"], record.preset),
            wandb.Image(str(file)) if file.exists() else None,
        )
    return table


ENDS = [f"{key}_{end}" for key in KEYS for end in ("low", "high")]
HEADINGS = ["row", "model", "family", "data", "preset", "seeds", *KEYS, *ENDS, "protocols", "flags"]


def line(row: Row, data: str, preset: str) -> list[Any]:
    """A row of the comparison under `HEADINGS`, in the table's units; None where nothing was measured."""
    known = [row.figures.get(key) for key in KEYS]
    figures = [figure and figure.value for figure in known]
    ends = [end for figure in known for end in ((figure and figure.interval) or (None, None))]
    return [
        row.name, row.model, row.family, data, preset, row.seeds, *figures, *ends,
        " ".join(row.protocols), "; ".join(row.flags),
    ]  # fmt: skip


def artifacts(run: "Run", record: Record, results: Path) -> list["wandb.Artifact"]:
    """The lineage: the data that the run used, the weights and the record that it made."""
    made = [use(run, dataset(record)), run.log_artifact(record_artifact(record, results))]
    weights = ResultsFolder(results).weights(record.run_id)
    if weights.exists():
        one = with_file(f"{record.run_id}-weights", "model", weights, {"images_seen": record.images_seen})
        made.append(run.log_artifact(one))
    return made


def dataset(record: Record) -> "wandb.Artifact":
    """What the data were, not the data: equal images are one version of one artifact."""
    import wandb

    settings = {key: value for key, value in record.config["data"].items() if key not in ("name", "root")}
    facts = {"name": record.config["data"]["name"], "settings": settings, "sha256": record.data_digest}
    made = wandb.Artifact(f"data-{facts['name']}", type="dataset", metadata=facts)
    with made.new_file("dataset.json") as file:
        file.write(json.dumps(facts, indent=1, sort_keys=True))
    return made


def record_artifact(record: Record, results: Path) -> "wandb.Artifact":
    return with_file(
        f"{record.run_id}-record", "record", path(results, record.run_id), {"schema": record.schema_version}
    )


def with_file(name: str, kind: str, file: Path, metadata: dict[str, Any]) -> "wandb.Artifact":
    import wandb

    made = wandb.Artifact(name, type=kind, metadata=metadata)
    made.add_file(str(file))
    return made


def use(run: "Run", artifact: "wandb.Artifact") -> "wandb.Artifact":
    """Make an artifact the run's input, online and offline; one with the same content is not stored twice.

    The public `use_artifact` refuses to work offline, where this private part of it works: pyproject.toml bounds wandb.
    """
    return run._log_artifact(artifact, is_user_created=True, use_after_commit=True)
