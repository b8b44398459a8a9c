"""`bench wandb push`: send recorded runs and their table to W&B."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.load import read, split
from bench.config.schema import ConfigError, Wandb, check
from bench.results.layout import ResultsFolder
from bench.results.records import Record, read_all
from bench.results.selection import REFERENCES, TableError, comparable, select, table_selection
from bench.runtime.console import Bar, console
from bench.table.build import Table, build
from bench.table.render import json_text, texts
from bench.tracking.identity import record_identity
from bench.tracking.log import (
    HEADINGS,
    TABLE,
    digest,
    digest_of,
    finish,
    log_record,
    record_artifact,
    row_values,
    use_artifact,
    wait_for_upload,
)
from bench.tracking.session import Identity, Mode, Session, first_line, kept_offline

if TYPE_CHECKING:
    import wandb
    from wandb import Run

SECONDS_TO_ANSWER = 10  # timeout of a query for existing runs
ALLOWED = ("results", "preset", "data", "wandb")


def push(overrides: Sequence[str]) -> int:
    """Send each record that W&B lacks or has in another version, then the table; return 1 if an upload failed."""
    settings, results, filters = selection("wandb push", overrides)
    records = [
        record for record in select(read_all(results), filters) if record.family in REFERENCES or record.finished
    ]
    if not records:
        raise ConfigError(f"{results}/records: no finished runs of this selection; run `bench train` first")
    mode = account(settings.mode)
    remote = remote_runs(settings.project, [record.run_id for record in records]) if mode == "online" else {}
    missing = [record for record in records if not is_sent(record, results, mode, remote)]
    failed = {}
    with Bar("send to W&B" if mode == "online" else "keep for W&B", len(missing), "runs") as bar:
        for record in missing:
            wandb_id = remote[record.run_id].id if record.run_id in remote else None
            identity = record_identity(record, settings.project, wandb_id)
            if trouble := send(identity, record, results, mode):
                failed[record.run_id] = trouble
            bar.advance()
    console.print(
        f"{len(missing) - len(failed)} of {len(records)} runs {'sent' if mode == 'online' else 'kept offline'}, "
        f"{len(records) - len(missing)} were up to date"
    )
    try:
        selected = select(read_all(results), filters)
        table = build(selected, results)
        if trouble := push_table(table, selected, results, settings.project, mode, interactive=True):
            failed["the table"] = trouble
    except TableError as error:
        console.print(f"[yellow]no table: {error}[/]")
    for name, trouble in failed.items():
        console.print(f"{name}: incomplete: {trouble}", style="red", markup=False)
    if mode == "offline":
        console.print(f"send them with: wandb sync {results}/runs/*/wandb/offline-run-*")
    return 1 if failed else 0


def selection(command: str, overrides: Sequence[str]) -> tuple[Wandb, Path, dict[str, str]]:
    """Return W&B's settings (online by default), the results folder, and its selected preset and data."""
    picks, rest = split(overrides)
    if wrong := [key for key in [*picks, *rest] if key not in ALLOWED]:
        raise ConfigError(f"{wrong[0]}: `bench {command}` takes results, preset, data and wandb.* only")
    wandb_settings = rest.get("wandb", {})
    if isinstance(wandb_settings, dict) and "group" in wandb_settings:
        raise ConfigError(f"wandb.group: recorded with each run; `bench {command}` takes wandb.mode and wandb.project")
    if not isinstance(wandb_settings, dict):
        raise ConfigError(f"wandb={wandb_settings}: a section, not a value; set its keys as wandb.KEY=VALUE")
    usual = read("", "default")["wandb"] | {"mode": os.environ.get("WANDB_MODE", "online")}
    settings = check(Wandb, usual | wandb_settings, "wandb.")
    if settings.mode == "disabled":
        raise ConfigError("wandb.mode=disabled: nothing would be sent; choose online or offline")
    results, filters = table_selection([word for word in overrides if not word.startswith("wandb.")])
    return settings, results, filters


def account(mode: Mode) -> Mode:
    """The mode, or "offline" where "online" has no account to go to."""
    if mode == "online":
        import wandb

        wandb.setup(wandb.Settings(silent=True))
        if not wandb.login(prompt=False, verify=False):
            console.print("[yellow]no W&B account (`wandb login` sets one); all is kept offline[/]")
            return "offline"
    return mode


@dataclass(frozen=True)
class RemoteRun:
    """A run as W&B has it. digest: of the record that it holds all of."""

    id: str  # the run_id, or what an agent's sweep has given to it
    digest: str


def remote_runs(project: str, run_ids: Sequence[str]) -> dict[str, RemoteRun]:
    """run_id -> what W&B has of it; ConfigError if W&B does not answer."""
    import wandb

    try:
        either_name: list[dict[str, Any]] = [{key: {"$in": list(run_ids)}} for key in ("name", "display_name")]
        runs = wandb.Api(timeout=SECONDS_TO_ANSWER).runs(project, filters={"$or": either_name}, lazy=False)
        return {
            run.id if run.id in run_ids else run.name: RemoteRun(run.id, str(run.summary.get("record", "")))
            for run in runs
        }
    except Exception as error:
        if "Could not find project" in str(error):  # it is made with its first run
            return {}
        raise ConfigError(
            f"wandb.mode=online: W&B does not answer ({first_line(error)}); wandb.mode=offline keeps all for later"
        ) from error


def is_sent(record: Record, results: Path, mode: Mode, remote: dict[str, RemoteRun]) -> bool:
    if mode == "online":
        return record.run_id in remote and remote[record.run_id].digest == digest(record)
    return kept_offline(ResultsFolder(results).run(record.run_id), record.run_id, digest(record))


def send(identity: Identity, record: Record, results: Path, mode: Mode) -> str:
    """Send the whole record; return the cause of a failure, "" if there is none."""
    session = Session(identity, mode, ResultsFolder(results).run(record.run_id), interactive=True)
    with session:
        session.tell(lambda run: log_record(run, session, record, results))
    return session.trouble


def push_table(
    table: Table, records: Sequence[Record], results: Path, project: str, mode: Mode, interactive: bool = False
) -> str:
    """Send the table of these records, unless W&B has it, as a run with the records as input and the files as output.

    Returns the cause of a failure, "" if there is none.
    """
    runs, references, _ = comparable(records, results)
    data, preset = table.data, table.preset
    name = table_name(table, preset, data)
    settings = {"preset": preset, "dataset": data, "protocol": table.protocol, "hardware": table.hardware}
    identity = Identity(name, name, project, settings, job_type="table", tags=(data, preset))
    table_digest = digest_of(json_text(table))
    if mode == "offline" and kept_offline(ResultsFolder(results).run(name), name, table_digest):
        return ""
    session = Session(identity, mode, ResultsFolder(results).run(name), interactive)

    def send_table(run: "Run") -> None:
        if session.digest != table_digest:
            inputs = [record for record in (*runs, *references) if record.results or record.abilities]
            wait_for_upload(log_table(run, table, inputs, results, (data, preset)), session)
            finish(run, session, table_digest)

    with session:
        session.tell(send_table)
    return session.trouble


def table_name(table: Table, preset: str, data: str) -> str:
    """Return name and id of the table's run: tables of other protocols or machines are other runs."""
    return f"table-{preset}-{data}-{digest_of(table.protocol + table.hardware)[:6]}"


def log_table(
    run: "Run", table: Table, records: Sequence[Record], results: Path, group: tuple[str, str]
) -> list["wandb.Artifact"]:
    """Log the records as inputs, the comparison as a table, its marks in the summary, its files as an artifact."""
    import wandb

    inputs = [use_artifact(run, record_artifact(record, results)) for record in records]
    run.log({TABLE: wandb.Table(columns=[*HEADINGS], data=[row_values(row, *group) for row in table.rows])})
    for rule, cells in table.lecture.items():
        run.summary.update({f"marks/{rule}/{model}": cell.label for model, cell in cells.items()})
    artifact = wandb.Artifact(run.id, type="table")
    for name, text in texts(table).items():
        with artifact.new_file(name) as file:
            file.write(text)
    return [*inputs, run.log_artifact(artifact)]
