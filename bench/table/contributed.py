"""Records that others contribute: whether one can be what it says, and the lines of the page that lists them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.config.components import KINDS
from bench.config.schema import Config
from bench.evaluation.errors import EvaluationError
from bench.evaluation.metrics.registry import METRICS
from bench.evaluation.protocol import Protocol, difference
from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.results.identity import headline, run_id
from bench.results.layout import ResultsFolder
from bench.results.records import BASELINE_FAMILY, EXTERNAL_FAMILY, Record, RecordError, Result, read, read_all
from bench.results.selection import describe
from bench.runtime.files import visible
from bench.table.columns import BY_KEY, NONE
from bench.table.figure import UNBOUNDED
from bench.table.text import Grid

FEWEST = 1000  # samples of a row: the figures of fewer say little beside the published ones
COMMIT = re.compile(r"[0-9a-f]{40}")
SHOWN = ("fid", "precision", "coverage", "seconds_per_100")  # figures of the page
HEAD = ["record", "data", "preset", "sampler", "FID", "precision", "coverage", "s / 100 images", "protocol", "machine"]


def published_records(folder: Path) -> list[Record]:
    """Return the records of a folder of published results and of the folders in it."""
    folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return [record for place in folders if (place / "records").is_dir() for record in read_all(place)]


def problems(file: Path, published: Sequence[Record]) -> list[str]:
    """Return what is wrong with a record that is to be contributed, a sentence each; published: those beside it."""
    try:
        record = read(file)
    except RecordError as error:
        return [str(error)]
    if file.stem != record.run_id:
        return [f"the file is called {file.name}, but holds the run {record.run_id}"]
    if record.run_id in {known.run_id for known in published}:
        return [f"{record.run_id} is among the published records; train another seed, or evaluate it otherwise"]
    return [*of_run(record), *of_code(record), *of_data(record, published), *of_results(record)]


def of_run(record: Record) -> Iterator[str]:
    """Say what is wrong with what was trained, and for how long."""
    if record.family == BASELINE_FAMILY:
        yield "family=data: baselines of real images are measured with the published runs"
    if record.family in (BASELINE_FAMILY, EXTERNAL_FAMILY):
        return
    try:
        config = Config(**record.config)
    except ValidationError as error:
        yield f"config: {error.errors()[0]['loc']}: {error.errors()[0]['msg'].lower()}"
        return
    if (expected := run_id(config)) != record.run_id:
        yield f"run_id={record.run_id}: its config is that of {expected}"
    budget = math.ceil(config.train.images / config.train.batch) * config.train.batch
    if record.images_seen != budget:
        yield f"images_seen={record.images_seen}: the budget of its config is {budget}"
    if not record.finished:
        yield "evaluate_seconds=0: its command did not come to an end; run it again"
    if not record.train_seconds > 0 or not record.parameters > 0:
        yield f"train_seconds={record.train_seconds}, parameters={record.parameters}: both are above 0 after a training"


def of_code(record: Record) -> Iterator[str]:
    """Say what code is not that of a commit, which others could check out."""
    codes = [("code", record.code), *((f"results.{key}.code", result.code) for key, result in record.results.items())]
    for place, code in codes:
        if not code and place != "code":
            continue  # results of old versions have the record's
        if not COMMIT.fullmatch(str(code.get("commit", ""))):
            yield f"{place}.commit={code.get('commit')}: no commit; run it from a clone of the repository"
        elif code.get("clean") is not True:
            yield f"{place}.clean={code.get('clean')}: files differed from the commit; commit them, and run it again"


def of_data(record: Record, published: Sequence[Record]) -> Iterator[str]:
    """Say where images or networks are others than those of the same name in the published records."""
    data = record.config.get("data", {}).get("name")
    if data not in KINDS["data"].registry:
        yield f"data={data}: no data set of the suite, so that nobody else can repeat it"
    known = [other for other in published if other.config["data"]["name"] == data and other.family != BASELINE_FAMILY]
    digests = {other.data_digest for other in known}
    if digests and record.family != EXTERNAL_FAMILY and record.data_digest not in digests:
        yield f"data_digest={record.data_digest[:12]}: other images than the published runs of data={data} have"
    weights = {
        result.protocol["extractor"]: result.protocol["extractor_digest"]
        for other in published for result in other.results.values()
    }  # fmt: skip
    for key, result in record.results.items():
        extractor, digest = (result.protocol.get(name) for name in ("extractor", "extractor_digest"))
        if weights.get(extractor, digest) != digest:
            yield f"results.{key}.protocol.extractor_digest: other weights than the published {extractor} has"


def of_results(record: Record) -> Iterator[str]:
    """Say which protocols, numbers of samples and figures cannot be."""
    if not record.results:
        yield "results: there are none; it was not evaluated"
    for key, result in record.results.items():
        yield from of_protocol(f"results.{key}", key, Protocol, result.protocol)
        samples = result.protocol.get("samples", 0)
        if result.metrics and not (isinstance(samples, int) and samples >= FEWEST):
            yield f"results.{key}.protocol.samples={samples}: at least {FEWEST:,} are needed"
        yield from of_figures(f"results.{key}", result)
    for key, ability in record.abilities.items():
        yield from of_protocol(f"abilities.{key}", key, AbilityProtocol, ability.protocol)


def of_protocol(place: str, key: str, kind: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with a protocol, whose key in the record is its fingerprint."""
    try:
        fingerprint = kind.from_dict(values).fingerprint()
    except EvaluationError as error:
        yield f"{place}.protocol: {str(error).rstrip('.')}"
        return
    if fingerprint != key:
        yield f"{place}: the fingerprint of its protocol is {fingerprint}"


def of_figures(place: str, result: Result) -> Iterator[str]:
    """Say which figures are out of the range of their column, and which intervals are none."""
    for name, value in {**result.metrics, **{k: v for k, v in result.timing.items() if k in BY_KEY}}.items():
        if name in result.metrics and name not in METRICS:
            yield f"{place}.metrics.{name}: no metric of this version"
            continue
        column = BY_KEY.get(name)
        low, high = column.bounds if column else UNBOUNDED
        scaled = float(value) * float(column.scale if column else 1)
        if not math.isfinite(scaled) or not low <= scaled <= high:
            yield f"{place}: {name}={value}: is from {low:g} to {high:g}"
    for name, (low, high) in result.intervals.items():
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            yield f"{place}.intervals.{name}: from {low} to {high} is no interval"


def contributed_grid(folder: Path, published: Sequence[Record]) -> Grid:
    """Return the head and a line for each row of each contributed record in a results folder."""
    return [HEAD, *(line for record in read_all(folder) for line in lines_of(record, published))]


def lines_of(record: Record, published: Sequence[Record]) -> Iterator[list[str]]:
    """Return a line for the headline row of a record, or for all rows where there is none."""
    rows = [result for result in record.results.values() if result.metrics]
    named = [result for result in rows if result.protocol["sampler"] == headline(record)]
    for result in named or rows:
        figures = {**result.metrics, **result.timing}
        shown = [
            BY_KEY[key].number(figures[key] * float(BY_KEY[key].scale)) if key in figures else NONE for key in SHOWN
        ]
        yield [
            record.run_id, record.config["data"]["name"], record.preset, result.protocol["sampler"], *shown,
            protocol_beside(result, published), describe(result.hardware),
        ]  # fmt: skip


def protocol_beside(result: Result, published: Sequence[Record]) -> str:
    """Return "published" for a row that may share a column with published runs, else where its protocol differs."""
    stated = Protocol.from_dict(result.protocol)
    others = [
        Protocol.from_dict(other.protocol)
        for record in published if record.family != BASELINE_FAMILY for other in record.results.values()
        if other.protocol["data"] == stated.data
    ]  # fmt: skip
    if any(other.setting() == stated.setting() for other in others):
        return "published"
    differences = min((difference(stated, other) for other in others), key=len, default=[])
    return "; ".join(part.partition(":")[0] for part in differences) or f"no published run of {stated.data}"


def files(folder: Path) -> list[Path]:
    """Return the files of the contributed records in a results folder."""
    return visible(ResultsFolder(folder).records, "*.json")
