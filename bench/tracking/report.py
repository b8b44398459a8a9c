"""`bench wandb report`: the comparison as a W&B report, over the runs that trainings or `bench wandb push` sent."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.schema import ConfigError
from bench.results.layout import ResultsFolder
from bench.results.records import read_all
from bench.results.selection import comparable, select
from bench.runtime.console import console
from bench.runtime.files import visible, write_text
from bench.table.build import Table, build
from bench.tracking.push import account, selection, table_name
from bench.tracking.session import first_line

if TYPE_CHECKING:
    import wandb_workspaces.reports.v2 as wr

ABOUT = (
    "Families of generative models under one trainer, one data path and one evaluator: the lecture's table, measured."
)


def publish(overrides: Sequence[str]) -> int:
    """Build and save the report; the same command again brings the same report up to date."""
    if find_spec("wandb_workspaces") is None:
        raise ConfigError("`bench wandb report` needs wandb-workspaces: pip install wandb-workspaces")
    settings, results, wanted = selection("wandb report", overrides)
    if account(settings.mode) != "online":
        raise ConfigError("`bench wandb report` needs an account: `wandb login`, and wandb.mode=online")
    records = select(read_all(results), wanted)
    table = build(records, results)
    runs, _, _ = comparable(records, results)
    data, preset = runs[0].config["data"]["name"], runs[0].preset
    kept = ResultsFolder(results).run(table_name(table, preset, data)) / "wandb-report.json"
    drawn = {
        file.stem for record in records for file in visible(ResultsFolder(results).pictures(record.run_id), "*.png")
    }
    try:
        report = saved(table, settings.project, (data, preset), sorted(drawn), known(kept, settings.project))
    except Exception as error:
        told = f"W&B took no report of wandb.project={settings.project} ({first_line(error)})"
        raise ConfigError(f"{told}; its runs must be there first: `bench wandb push`") from error
    write_text(kept, json.dumps({"project": settings.project, "id": report.id}) + "\n")
    console.print(f"W&B: {report.url}", markup=False)
    return 0


def known(kept: Path, project: str) -> str:
    """The id of the report that an earlier call has made in the project, or "" for a new one."""
    told = json.loads(kept.read_text()) if kept.exists() else {}
    return str(told["id"]) if told.get("project") == project else ""


def saved(table: Table, project: str, of: tuple[str, str], pictures: Sequence[str], known: str) -> "wr.Report":
    """The report, as W&B has it; a new one unless the id of one is known."""
    import wandb_workspaces.reports.v2 as wr

    from bench.tracking.panels import blocks

    report = wr.Report(project=project, title=f"The generative trilemma on {of[0]}, preset {of[1]}")
    report.description, report.width = ABOUT, "fluid"
    report.blocks = blocks(table, report.entity, project, of, pictures)
    report.id = known
    return report.save()
