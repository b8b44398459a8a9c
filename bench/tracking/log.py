"""Log curves, pictures, figures and artifacts to an open W&B run."""

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
GRIDS = "samples-over-training"  # the folder of these grids in a run's folder, as IMAGES_SEEN.png
COMPARISON = "comparison"  # the key of a run's own rows: W&B joins tables of several runs under one key
TABLE = "table"  # the key of the table's run, which has a line for all seeds of a row
KEYS = [column.key for column in COLUMNS]


def history(
    run: "Run", session: "Session", curves: Mapping[str, Sequence[float]], grids: Sequence[Path], until: float
) -> None:
    """Log the points of the curves and the grids up to `until` images seen that W&B lacks, in their order."""
    events: dict[float, dict[str, Any]] = defaultdict(dict)
    for seen, values in points(curves):
        events[seen] |= values
    for file in grids:
        events[float(file.stem)][SAMPLES] = file
    for seen in sorted(seen for seen in events if session.images_sent < seen <= until):
        images = {SAMPLES: grid_of(events[seen][SAMPLES])} if SAMPLES in events[seen] else {}
        run.log({"images_seen": seen, **events[seen], **images})
        session.images_sent = seen


def points(curves: Mapping[str, Sequence[float]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield (images seen, name -> value) of each point; `train/loss` is every family's objective."""
    for at, seen in enumerate(curves.get("images_seen", ())):
        yield seen, {f"train/{name}": values[at] for name, values in curves.items() if name != "images_seen"}


def grid_of(file: Path) -> "wandb.Image":
    import wandb

    return wandb.Image(str(file), caption=f"{int(file.stem):,} images seen, the same seed each time")


def grids(folder: Path) -> list[Path]:
    """Return the sample grids in a run's folder, in their order."""
    return visible(folder / GRIDS, "*.png")


def digest(record: Record) -> str:
    """Digest a record; for baselines, which each folder measures again, digest the figures only."""
    if not record.images_seen:
        figures = {key: result.metrics for key, result in record.results.items()}
        tasks = {key: ability.figures for key, ability in record.abilities.items()}
        return digest_of(json.dumps([figures, tasks], sort_keys=True))
    return digest_of(json.dumps(record.model_dump(), sort_keys=True))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def log_record(run: "Run", session: "Session", record: Record, results: Path) -> None:
    """Log everything of a record and its files that W&B lacks."""
    import wandb

    folder = ResultsFolder(results).run(record.run_id)
    history(run, session, record.curves, grids(folder), record.images_seen)
    files = visible(ResultsFolder(results).pictures(record.run_id), "*.png")
    pictures = {f"pictures/{file.stem}": wandb.Image(str(file), caption=CAPTIONS.get(file.stem)) for file in files}
    run.log({"images_seen": record.images_seen, COMPARISON: comparison_table(record, results), **pictures})
    wait_for_upload(artifacts(run, record, results), session)
    if run.summary.get("failed"):  # an earlier try
        del run.summary["failed"]
    run.summary.update(summary(record) | intervals(record) | {"family": record.family})
    finish(run, session, digest(record))


def wait_for_upload(uploads: Sequence["wandb.Artifact"], session: "Session") -> None:
    """Wait until W&B has the artifacts, which are uploaded asynchronously; raises if it refuses one."""
    for artifact in uploads if session.mode == "online" else ():
        artifact.wait()


def finish(run: "Run", session: "Session", content_digest: str) -> None:
    """Write the digest last; its presence means that the upload is complete."""
    run.summary["record"] = session.digest = content_digest


def comparison_table(record: Record, results: Path) -> "wandb.Table":
    """Return the record's rows of the comparison, with their samples; every run has the same columns."""
    import wandb

    rows = sorted(gather([record], names([record])), key=steps)
    folder = ResultsFolder(results).pictures(record.run_id)
    table = wandb.Table(columns=["run", *HEADINGS, "samples"])
    for row in rows:
        file = row_file(folder, "samples", row.sampler)
        table.add_data(
            record.run_id,
            *row_values(row, record.config["data"]["name"], record.preset),
            wandb.Image(str(file)) if file.exists() else None,
        )
    return table


ENDS = [f"{key}_{end}" for key in KEYS for end in ("low", "high")]
HEADINGS = ["row", "model", "family", "data", "preset", "seeds", *KEYS, *ENDS, "protocols", "flags"]


def row_values(row: Row, data: str, preset: str) -> list[Any]:
    """Return a row of the comparison under `HEADINGS`, in the table's units; None where nothing was measured."""
    figures_or_none = [row.figures.get(key) for key in KEYS]
    figures = [figure and figure.value for figure in figures_or_none]
    ends = [end for figure in figures_or_none for end in ((figure and figure.interval) or (None, None))]
    return [
        row.name, row.model, row.family, data, preset, row.seeds, *figures, *ends,
        " ".join(row.protocols), "; ".join(row.flags),
    ]  # fmt: skip


def artifacts(run: "Run", record: Record, results: Path) -> list["wandb.Artifact"]:
    """Log the lineage: the data that the run used, and its weights and record; return the artifacts."""
    result = [use_artifact(run, dataset(record)), run.log_artifact(record_artifact(record, results))]
    weights = ResultsFolder(results).weights(record.run_id)
    if weights.exists():
        weights_artifact = with_file(f"{record.run_id}-weights", "model", weights, {"images_seen": record.images_seen})
        result.append(run.log_artifact(weights_artifact))
    return result


def dataset(record: Record) -> "wandb.Artifact":
    """Describe the data, without the images themselves: equal images are one version of one artifact."""
    import wandb

    settings = {key: value for key, value in record.config["data"].items() if key not in ("name", "root")}
    facts = {"name": record.config["data"]["name"], "settings": settings, "sha256": record.data_digest}
    artifact = wandb.Artifact(f"data-{facts['name']}", type="dataset", metadata=facts)
    with artifact.new_file("dataset.json") as file:
        file.write(json.dumps(facts, indent=1, sort_keys=True))
    return artifact


def record_artifact(record: Record, results: Path) -> "wandb.Artifact":
    return with_file(
        f"{record.run_id}-record", "record", path(results, record.run_id), {"schema": record.schema_version}
    )


def with_file(name: str, kind: str, file: Path, metadata: dict[str, Any]) -> "wandb.Artifact":
    import wandb

    artifact = wandb.Artifact(name, type=kind, metadata=metadata)
    artifact.add_file(str(file))
    return artifact


def use_artifact(run: "Run", artifact: "wandb.Artifact") -> "wandb.Artifact":
    """Mark an artifact as the run's input, online and offline; one with the same content is not stored twice.

    The public `use_artifact` does not work offline; this private method does, and pyproject.toml bounds wandb.
    """
    return run._log_artifact(artifact, is_user_created=True, use_after_commit=True)
