"""`bench show RUN`: one record, for people."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from bench.config.load import results_folder, split
from bench.config.schema import Config, ConfigError, check, check_name
from bench.evaluation.protocol import Protocol
from bench.results.records import FLOOR, Record, failures, find, run_ids, visible
from bench.results.selection import describe, narrowed
from bench.runs.plan import missing_metrics, plan, sentence
from bench.table.aggregate import names
from bench.table.columns import FAMILIES, REFERENCE
from bench.table.rows import gather
from bench.table.tasks import lines
from bench.table.terminal import listed, show_figures, show_sections

BARS = "▁▂▃▄▅▆▇█"
POINTS = 40  # of a curve drawn as characters
PAGES = FAMILIES | REFERENCE | {FLOOR: "references"}


def results_of(command: str, overrides: Sequence[str]) -> Path:
    """The folder that `results=DIR` names; a command that only reads takes no other setting."""
    picks, rest = split(overrides)
    if wrong := [key for key in [*picks, *rest] if key != "results"]:
        raise ConfigError(f"{wrong[0]}: `bench {command}` takes results=DIR only")
    return results_folder(overrides)


def recorded(run: str, results: Path) -> Record:
    """The record of a run; ConfigError that says why there is none, or lists those that there are."""
    if record := find(results, run):
        return record
    for failure in failures(results):
        if failure.run_id == run:
            raise ConfigError(f"{run}: has no figures, it failed: {failure.cause}")
    known = run_ids(results)
    if not known:
        raise ConfigError(f"run={run}: no records in {results}/records; name another folder with results=DIR")
    check_name("run", run, known)
    raise AssertionError


def show(run: str, overrides: Sequence[str]) -> None:
    """Print what the run was, how its losses fell, and its figures under each way in which they were measured."""
    results = results_of("show", overrides)
    record = recorded(run, results)
    console = Console(highlight=False)
    console.rule(f"[bold]{record.run_id}")
    facts = RichTable(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, text in (said(record) | files(record, results) | missing(record)).items():
        facts.add_row(f"[dim]{name}[/]", escape(text))
    console.print(facts)
    if record.curves:
        console.print(listed("While it trained", curves(record.curves)))
    called = names([record])
    for setting, line in settings(record).items():
        rows = gather([narrowed(record, {}, setting)], called)
        show_figures(rows, console)
        for row in rows:
            console.print("\n".join(f"† {row.name}: {flag}" for flag in row.flags), style="yellow")
        console.print(f"Measured under {escape(line)}.", style="dim")
    show_sections(lines([record], called), console)


def settings(record: Record) -> dict[str, str]:
    """`setting()` -> its sentence, of every way in which the record's samples were measured."""
    stated = [Protocol.from_dict(result.protocol) for result in record.results.values()]
    return {protocol.setting(): protocol.line() for protocol in stated}


def said(record: Record) -> dict[str, str]:
    """What the run was and what it cost."""
    config = record.config
    facts = {
        "model": f"{config['model']['name']} ({PAGES.get(record.family, record.family)})",
        "settings": ", ".join(f"{key} {value}" for key, value in config["model"].items() if key != "name"),
        "data": f"{config['data']['name']}, training images sha {record.data_digest[:8]}",
        "preset": " – ".join(filter(None, (record.preset, config.get("stamp", "")))),
        "code": f"{record.code['commit'][:12]}{described(record.code)}; "
        + ", ".join(f"{name} {version}" for name, version in record.libraries.items()),
    }
    if record.images_seen:
        processes = record.hardware.get("processes", 1)
        facts["training"] = (
            f"{record.images_seen:,} images in batches of {config['train']['batch']}, seed {config['seed']}: "
            f"{record.train_seconds / 60:.1f} min on {describe(record.hardware)}"
            f"{f', {processes} processes' if processes > 1 else ''}, {record.precision}"
        )
        facts["weights"] = f"{record.parameters / 1e6:.2f} M, {record.sampling_parameters / 1e6:.2f} M of them draw"
    return {name: text for name, text in facts.items() if text}


def described(code: dict[str, Any]) -> str:
    """Whether the code was that of its commit, and what trained before it; empty for one clean commit."""
    changes = {True: "", False: ", with changes not committed", None: ", changes unknown"}[code["clean"]]
    before = {stretch["code"]["commit"][:12]: None for stretch in code.get("earlier", ())}
    others = ", ".join(commit for commit in before if not code["commit"].startswith(commit))
    return changes + (f" (begun by {others})" if others else "")


def files(record: Record, results: Path) -> dict[str, str]:
    """What else there is of the run."""
    weights = results / "runs" / record.run_id / "final.ckpt"
    drawn = visible(results / "pictures" / record.run_id, "**/*.png")
    return {
        **({"checkpoint": str(weights)} if weights.exists() else {}),
        **({"pictures": f"{drawn[0].parent} ({', '.join(file.stem for file in drawn)})"} if drawn else {}),
    }


def missing(record: Record) -> dict[str, str]:
    """What the next call of the run's command would do, as far as that is known without its data and its model."""
    if not record.images_seen:  # real images, or another program's
        reasons = dict.fromkeys(
            reason for result in record.results.values() for reason in missing_metrics(result).values()
        )
        return {"missing": "; ".join(reasons)} if reasons else {}
    try:
        config: Config = check(Config, record.config)
    except ConfigError as error:
        return {"missing": f"unknown, because its configuration is of another version: {error}"}
    steps = plan(config, record)
    return {"missing": sentence(steps)} if steps else {}


def curves(kept: dict[str, list[float]]) -> list[list[str]]:
    """First, least and last value of each curve, and its course in characters; the least at the bottom."""
    grid = [["", "first", "least", "last", f"over {kept['images_seen'][-1]:,.0f} images"]]
    for name, values in kept.items():
        known = [value for value in values if math.isfinite(value)]
        if name != "images_seen" and known:
            grid.append([name, *(f"{value:.4g}" for value in (known[0], min(known), known[-1])), drawn(values)])
    return grid


def drawn(values: Sequence[float]) -> str:
    """A curve in at most POINTS characters, linear from its least value to its greatest; gaps for what is no number."""
    count = min(POINTS, len(values))
    chosen = [values[round(k * (len(values) - 1) / max(1, count - 1))] for k in range(count)]
    known = [value for value in chosen if math.isfinite(value)]
    low, span = min(known, default=0.0), (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    return "".join(
        BARS[min(len(BARS) - 1, int((value - low) / span * len(BARS)))] if math.isfinite(value) else " "
        for value in chosen
    )
