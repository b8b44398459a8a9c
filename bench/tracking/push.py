"""`bench wandb push`: what is recorded already, as W&B runs, and the table that the records give."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config import read, split, table_selection
from bench.progress import Bar, console
from bench.records import Record, read_all
from bench.render import json_text, texts
from bench.schema import ConfigError, Wandb, check
from bench.selection import REFERENCES, TableError, select
from bench.table import Table, build
from bench.tracking import of_record
from bench.tracking.session import Identity, Mode, Session, first_line, kept_offline
from bench.tracking.telling import COMPARISON, HEADINGS, digest, digest_of, finish, line, record_artifact, use, whole

if TYPE_CHECKING:
    from wandb import Run

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
    failed = []
    with Bar("send to W&B" if mode == "online" else "keep for W&B", len(missing), "runs") as bar:
        for record in missing:
            if not send(record, results, settings.project, mode):
                failed.append(record.run_id)
            bar.advance()
    console.print(
        f"{len(missing) - len(failed)} of {len(chosen)} runs {'sent' if mode == 'online' else 'kept offline'}, "
        f"{len(chosen) - len(missing)} were there{f', not whole: {failed}' if failed else ''}"
    )
    arrived = True
    try:
        compared = select(read_all(results), wanted)
        arrived = push_table(build(compared, results), compared, results, settings.project, mode, quiet=True)
    except TableError as error:
        console.print(f"[yellow]no table: {error}[/]")
    if mode == "offline":
        console.print(f"send them with: wandb sync {results}/runs/*/wandb/offline-run-*")
    return 1 if failed or not arrived else 0


def selection(command: str, overrides: Sequence[str]) -> tuple[Wandb, Path, dict[str, str]]:
    """W&B's settings (online if they do not say), the results folder, and the preset and data that are wanted of it."""
    picks, rest = split(overrides)
    if wrong := [key for key in [*picks, *rest] if key not in TAKEN]:
        raise ConfigError(f"{wrong[0]}: `bench {command}` takes results, preset, data and wandb.* only")
    given = rest.get("wandb", {})
    if not isinstance(given, dict):
        raise ConfigError(f"wandb={given}: a section, not a value; set its keys as wandb.KEY=VALUE")
    settings = check(Wandb, read("", "default")["wandb"] | {"mode": "online"} | given, "wandb.")
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


def there(project: str, run_ids: Sequence[str]) -> dict[str, str]:
    """run_id -> digest of the record that W&B holds of it; ConfigError if W&B does not answer."""
    import wandb

    try:
        found = wandb.Api(timeout=10).runs(project, filters={"name": {"$in": list(run_ids)}}, lazy=False)
        return {run.id: str(run.summary.get("record", "")) for run in found}
    except Exception as error:
        if "Could not find project" in str(error):  # it is made with its first run
            return {}
        raise ConfigError(
            f"wandb.mode=online: W&B does not answer ({first_line(error)}); wandb.mode=offline keeps all for later"
        ) from error


def sent(record: Record, results: Path, mode: Mode, known: dict[str, str]) -> bool:
    if mode == "online":
        return known.get(record.run_id) == digest(record)
    return kept_offline(results / "runs" / record.run_id, record.run_id, digest(record))


def send(record: Record, results: Path, project: str, mode: Mode) -> bool:
    """Whether all of the record arrived where the mode says."""
    one = Session(of_record(record, project), mode, results / "runs" / record.run_id, quiet=True)
    with one:
        one.tell(lambda run: whole(run, one, record, results))
    return one.whole and one.mode == mode


def push_table(
    table: Table, records: Sequence[Record], results: Path, project: str, mode: Mode, quiet: bool = False
) -> bool:
    """Send the table of these records as a run that uses them and makes the table's files.

    Unless W&B has it; False if it did not arrive whole.
    """
    like = next(record for record in records if record.family not in REFERENCES)
    data, preset = like.config["data"]["name"], like.preset
    name = table_name(preset, data)
    settings = {"preset": preset, "dataset": data, "protocol": table.protocol, "hardware": table.hardware}
    identity = Identity(name, name, project, settings, job_type="table", tags=(data, preset))
    told = digest_of(json_text(table))
    if mode == "offline" and kept_offline(results / "runs" / name, name, told):
        return True
    one = Session(identity, mode, results / "runs" / name, quiet)

    def tell(run: "Run") -> None:
        if one.digest != told:
            tell_table(run, table, records, results, (data, preset))
            finish(run, one, told)

    with one:
        one.tell(tell)
    return one.whole and one.mode == mode


def table_name(preset: str, data: str) -> str:
    """What the table's run is called, and its id."""
    return f"table-{preset}-{data}"


def tell_table(run: "Run", table: Table, records: Sequence[Record], results: Path, of: tuple[str, str]) -> None:
    """The records as inputs, the comparison as a table, its marks in the summary, its files as an artifact."""
    import wandb

    for record in records:
        use(run, record_artifact(record, results))
    run.log({COMPARISON: wandb.Table(columns=[*HEADINGS], data=[line(row, *of) for row in table.rows])})
    for rule, cells in table.lecture.items():
        run.summary.update({f"marks/{rule}/{model}": cell.mark for model, cell in cells.items()})
    made = wandb.Artifact(run.id, type="table")
    for name, text in texts(table).items():
        with made.new_file(name) as file:
            file.write(text)
    run.log_artifact(made)
