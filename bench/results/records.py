"""The result record: one JSON file a run, validated when read, written to a temporary file and renamed."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.results.layout import ResultsFolder
from bench.runtime.errors import InputError
from bench.runtime.files import visible, write_text
from bench.runtime.provenance import (
    code_version,
    library_versions,
)

SCHEMA = 5
BASELINE_FAMILY = "data"  # the family of real images
EXTERNAL_FAMILY = "outside"  # the family of another program's images


class RecordError(InputError):
    """A record that cannot be used; the message is one sentence that names the file."""


class MetricColumn(BaseModel):
    """What tables say of a metric of the user's own, see `bench.evaluation.metrics.own.metric`."""

    model_config = ConfigDict(extra="forbid")

    heading: str = ""
    form: str = ""
    direction: str = "neither"
    source: str = ""


class Result(BaseModel):
    """What one protocol measured. `metrics` is empty for a row that was only timed, `timing` for real images."""

    model_config = ConfigDict(extra="forbid")

    protocol: dict[str, Any]
    metrics: dict[str, float] = {}
    versions: dict[str, int | str] = {}  # of every metric that was computed, also of those that gave no figure
    columns: dict[str, MetricColumn] = {}  # of metrics of the user's own
    intervals: dict[str, tuple[float, float]] = {}  # ends of 95% intervals over samples, of the metrics that have one
    fid_by_count: dict[int, float] = {}  # number of samples -> FID
    by_class: list[dict[str, float]] = []  # figures of the samples of each label, where labels were given
    flags: list[str] = []  # sentences about what makes the metrics doubtful
    seconds: dict[str, float] = {}  # what each stage of the evaluation cost
    timing: dict[str, Any] = {}
    hardware: dict[str, Any]
    code: dict[str, Any] = {}  # commit and clean, of the measurement; the record's own is of the training


class Ability(BaseModel):
    """One measurement of an ability beside sampling; `figures` as bench.evaluation.tasks returns them."""

    model_config = ConfigDict(extra="forbid")

    protocol: dict[str, Any]
    figures: dict[str, Any]


class Record(BaseModel):
    """One run: what it was, what it cost, and its results keyed by the fingerprint of their protocol."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    run_id: str
    family: str  # the lecture's column, or "data" for real held-out images
    config: dict[str, Any]
    code: dict[
        str, Any
    ]  # as bench.runtime.provenance has it; after a resume under other conditions, "earlier" has those before
    libraries: dict[str, str]
    data_digest: str  # sha256 of the training images
    hardware: dict[str, Any] = {}  # of the training
    precision: str = ""
    images_seen: int = 0
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0  # wall-clock of everything after the training
    curves: dict[str, list[float]] = {}  # what was logged while training, over "images_seen"
    parameters: int = 0  # trainable, of the whole model
    sampling_parameters: int = 0  # of the network whose passes are a sample's cost
    results: dict[str, Result] = {}
    abilities: dict[str, Ability] = {}  # by the fingerprint of their protocol, too

    @property
    def preset(self) -> str:
        return str(self.config["preset"])

    def __repr__(self) -> str:
        """Return a line for a list of records; `model_dump()` has all of it."""
        trained = f"{self.images_seen:,} images seen, " if self.images_seen else ""
        rows = "1 row" if len(self.results) == 1 else f"{len(self.results)} rows"
        return f"<Record {self.run_id}: {self.config['model']['name']}, {trained}{rows}>"

    __str__ = __repr__

    @property
    def finished(self) -> bool:
        """Whether its command came to the end, where `evaluate_seconds` is written."""
        return self.evaluate_seconds > 0


class Failure(BaseModel):
    """A training that diverged. Unlike a crash, this is a result about the model, and the table mentions it."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA
    run_id: str
    config: dict[str, Any]
    code: dict[str, Any]
    cause: str
    images_seen: int
    curves: dict[str, list[float]] = {}


def reference(
    run_id: str, name: str, config: dict[str, Any], data_digest: str, family: str = BASELINE_FAMILY
) -> Record:
    """Create a record without a run, for runs to be compared with; `config` holds the preset and the data."""
    return Record(
        run_id=run_id,
        family=family,
        config={"preset": config["preset"], "model": {"name": name}, "data": config["data"]},
        code=code_version(),
        libraries=library_versions(),
        data_digest=data_digest,
    )


def path(results: Path, run_id: str) -> Path:
    return ResultsFolder(results).record(run_id)


def write(record: Record, results: Path) -> None:
    """Write a record atomically: no reader and no crash sees half of it."""
    write_text(path(results, record.run_id), json.dumps(record.model_dump(), indent=1, sort_keys=True) + "\n")


def write_failure(failure: Failure, results: Path) -> None:
    """Write the cause why a run has no record; `clear_failure` deletes it once there is one."""
    text = json.dumps(failure.model_dump(), indent=1, sort_keys=True) + "\n"
    write_text(ResultsFolder(results).failure(failure.run_id), text)


def clear_failure(results: Path, run_id: str) -> None:
    ResultsFolder(results).failure(run_id).unlink(missing_ok=True)


def failures(results: Path) -> list[Failure]:
    """Return every failure below a results folder, sorted by name."""
    return [load(Failure, file) for file in visible(ResultsFolder(results).failures, "*.json")]


Kept = TypeVar("Kept", Record, Failure)


def load(kind: type[Kept], file: Path) -> Kept:
    """Load one validated file; RecordError if it is damaged or of another schema."""
    try:
        content = json.loads(file.read_text())
        if (schema := content.get("schema_version")) != SCHEMA:
            raise RecordError(
                f"{file}: is of schema {schema}, and this version of bench reads schema {SCHEMA} only; move the file "
                "away and run `bench train` again, or read it with the version that wrote it"
            )
        return kind(**content)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, ValidationError) as error:
        raise RecordError(
            f"{file}: not a readable record ({str(error).splitlines()[0]}); move it away to go on"
        ) from None


def read(file: Path) -> Record:
    """Load one record; RecordError if it is damaged or of another schema."""
    return load(Record, file)


def find(results: Path, run_id: str) -> Record | None:
    """Return the record of a run, or None if there is none yet."""
    file = path(results, run_id)
    return read(file) if file.exists() else None


def read_all(results: Path) -> list[Record]:
    """Return every record below a results folder, sorted by name; RecordError if a file is not named by its run."""
    records = {file: read(file) for file in visible(ResultsFolder(results).records, "*.json")}
    for file, record in records.items():
        if file.stem != record.run_id:
            raise RecordError(
                f"{file}: a copy: it holds the run {record.run_id}, whose file is {record.run_id}.json; "
                "move one of them away to go on"
            )
    return list(records.values())


def run_ids(results: Path) -> list[str]:
    """Return the run_ids that have a record, ascending."""
    return [file.stem for file in visible(ResultsFolder(results).records, "*.json")]
