"""`bench wandb push`: what is recorded already, as W&B runs, and the table that the records give."""

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
from bench.tracking.identity import of_record
from bench.tracking.log import (
    HEADINGS,
    TABLE,
    digest,
    digest_of,
    finish,
    line,
    log_record,
    record_artifact,
    use,
    wait_for_upload,
)
from bench.tracking.session import Identity, Mode, Session, first_line, kept_offline

if TYPE_CHECKING:
    import wandb
    from wandb import Run

SECONDS_TO_ANSWER = 10  # a question about what is there
TAKEN = ("results", "preset", "data", "wandb")


def push(overrides: Sequence[str]) -> int:
    """Send each record that W&B has not got as it is, and then the table; 1 if any did not arrive whole."""
    settings, results, wanted = selection("wandb push", overrides)
    chosen = [record for record in select(read_all(results), wanted) if record.family in REFERENCES or record.finished]
    if not chosen:
        raise ConfigError(f"{results}/records: no finished runs of what was asked for; run `bench train` first")
    mode = account(settings.mode)
    known = there(settings.project, [record.run_id for record in chosen]) if mode == "online" else {}
    missing = [record for record in chosen if not sent(record, results, mode, known)]
    failed = {}
    with Bar("send to W&B" if mode == "online" else "keep for W&B", len(missing), "runs") as bar:
        for record in missing:
            one = of_record(record, settings.project, known[record.run_id].id if record.run_id in known else None)
            if trouble := send(one, record, results, mode):
                failed[record.run_id] = trouble
            bar.advance()
    console.print(
        f"{len(missing) - len(failed)} of {len(chosen)} runs {'sent' if mode == 'online' else 'kept offline'}, "
        f"{len(chosen) - len(missing)} were there"
    )
    try:
        compared = select(read_all(results), wanted)
        if trouble := push_table(build(compared, results), compared, results, settings.project, mode, asked=True):
            failed["the table"] = trouble
    except TableError as error:
        console.print(f"[yellow]no table: {error}[/]")
    for name, trouble in failed.items():
        console.print(f"{name}: not whole: {trouble}", style="red", markup=False)
    if mode == "offline":
        console.print(f"send them with: wandb sync {results}/runs/*/wandb/offline-run-*")
    return 1 if failed else 0


def selection(command: str, overrides: Sequence[str]) -> tuple[Wandb, Path, dict[str, str]]:
    """W&B's settings (online if they do not say), the results folder, and the preset and data that are wanted of it."""
    picks, rest = split(overrides)
    if wrong := [key for key in [*picks, *rest] if key not in TAKEN]:
        raise ConfigError(f"{wrong[0]}: `bench {command}` takes results, preset, data and wandb.* only")
    given = rest.get("wandb", {})
    if isinstance(given, dict) and "group" in given:
        raise ConfigError(f"wandb.group: recorded with each run; `bench {command}` takes wandb.mode and wandb.project")
    if not isinstance(given, dict):
        raise ConfigError(f"wandb={given}: a section, not a value; set its keys as wandb.KEY=VALUE")
    usual = read("", "default")["wandb"] | {"mode": os.environ.get("WANDB_MODE", "online")}
    settings = check(Wandb, usual | given, "wandb.")
    if settings.mode == "disabled":
        raise ConfigError("wandb.mode=disabled: nothing would be sent; choose online or offline")
    results, wanted = table_selection([word for word in overrides if not word.startswith("wandb.")])
    return settings, results, wanted


def account(mode: Mode) -> Mode:
    """The mode, or "offline" where "online" has no account to go to."""
    if mode == "online":
        import wandb

        wandb.setup(wandb.Settings(silent=True))
        if not wandb.login(prompt=False, verify=False):
            console.print("[yellow]no W&B account (`wandb login` makes one known), so all is kept offline[/]")
            return "offline"
    return mode


@dataclass(frozen=True)
class Known:
    """A run as W&B has it. digest: of the record that it holds all of."""

    id: str  # the run_id, or what an agent's sweep has given to it
    digest: str


def there(project: str, run_ids: Sequence[str]) -> dict[str, Known]:
    """run_id -> what W&B has of it; ConfigError if W&B does not answer."""
    import wandb

    try:
        wanted: list[dict[str, Any]] = [{key: {"$in": list(run_ids)}} for key in ("name", "display_name")]
        found = wandb.Api(timeout=SECONDS_TO_ANSWER).runs(project, filters={"$or": wanted}, lazy=False)
        return {
            run.id if run.id in run_ids else run.name: Known(run.id, str(run.summary.get("record", "")))
            for run in found
        }
    except Exception as error:
        if "Could not find project" in str(error):  # it is made with its first run
            return {}
        raise ConfigError(
            f"wandb.mode=online: W&B does not answer ({first_line(error)}); wandb.mode=offline keeps all for later"
        ) from error


def sent(record: Record, results: Path, mode: Mode, known: dict[str, Known]) -> bool:
    if mode == "online":
        return record.run_id in known and known[record.run_id].digest == digest(record)
    return kept_offline(ResultsFolder(results).run(record.run_id), record.run_id, digest(record))


def send(identity: Identity, record: Record, results: Path, mode: Mode) -> str:
    """Send all of the record; what kept it from arriving, "" if nothing did."""
    one = Session(identity, mode, ResultsFolder(results).run(record.run_id), asked=True)
    with one:
        one.tell(lambda run: log_record(run, one, record, results))
    return one.trouble


def push_table(
    table: Table, records: Sequence[Record], results: Path, project: str, mode: Mode, asked: bool = False
) -> str:
    """Send the table of these records, unless W&B has it, as a run that uses them and makes the table's files.

    Returns what kept it from arriving, "" if nothing did.
    """
    runs, references, _ = comparable(records, results)
    data, preset = runs[0].config["data"]["name"], runs[0].preset
    name = table_name(table, preset, data)
    settings = {"preset": preset, "dataset": data, "protocol": table.protocol, "hardware": table.hardware}
    identity = Identity(name, name, project, settings, job_type="table", tags=(data, preset))
    told = digest_of(json_text(table))
    if mode == "offline" and kept_offline(ResultsFolder(results).run(name), name, told):
        return ""
    one = Session(identity, mode, ResultsFolder(results).run(name), asked)

    def tell(run: "Run") -> None:
        if one.digest != told:
            used = [record for record in (*runs, *references) if record.results or record.abilities]
            wait_for_upload(tell_table(run, table, used, results, (data, preset)), one)
            finish(run, one, told)

    with one:
        one.tell(tell)
    return one.trouble


def table_name(table: Table, preset: str, data: str) -> str:
    """What the table's run is called, and its id: tables of other protocols or machines are other runs."""
    return f"table-{preset}-{data}-{digest_of(table.protocol + table.hardware)[:6]}"


def tell_table(
    run: "Run", table: Table, records: Sequence[Record], results: Path, of: tuple[str, str]
) -> list["wandb.Artifact"]:
    """The records as inputs, the comparison as a table, its marks in the summary, its files as an artifact."""
    import wandb

    used = [use(run, record_artifact(record, results)) for record in records]
    run.log({TABLE: wandb.Table(columns=[*HEADINGS], data=[line(row, *of) for row in table.rows])})
    for rule, cells in table.lecture.items():
        run.summary.update({f"marks/{rule}/{model}": cell.shown for model, cell in cells.items()})
    made = wandb.Artifact(run.id, type="table")
    for name, text in texts(table).items():
        with made.new_file(name) as file:
            file.write(text)
    return [*used, run.log_artifact(made)]
