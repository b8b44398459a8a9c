"""`bench wandb report`: write the comparison as a W&B report on the runs that were sent before."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.schema import ConfigError
from bench.results.layout import ResultsFolder
from bench.results.records import read_all
from bench.results.selection import select
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
    """Build and save the report; the same command again updates the same report."""
    if find_spec("wandb_workspaces") is None:
        raise ConfigError("`bench wandb report` needs wandb-workspaces: pip install wandb-workspaces")
    settings, results, filters = selection("wandb report", overrides)
    if account(settings.mode) != "online":
        raise ConfigError("`bench wandb report` needs an account: `wandb login`, and wandb.mode=online")
    records = select(read_all(results), filters)
    table = build(records, results)
    data, preset = table.data, table.preset
    id_file = ResultsFolder(results).run(table_name(table, preset, data)) / "wandb-report.json"
    pictures = {
        file.stem for record in records for file in visible(ResultsFolder(results).pictures(record.run_id), "*.png")
    }
    try:
        report = save_report(
            table, settings.project, (data, preset), sorted(pictures), saved_id(id_file, settings.project)
        )
    except Exception as error:
        message = f"W&B did not accept the report of wandb.project={settings.project} ({first_line(error)})"
        raise ConfigError(f"{message}; send its runs first: `bench wandb push`") from error
    write_text(id_file, json.dumps({"project": settings.project, "id": report.id}) + "\n")
    console.print(f"W&B: {report.url}", markup=False)
    return 0


def saved_id(id_file: Path, project: str) -> str:
    """Return the id of an earlier call's report in the project, or "" for a new one."""
    content = json.loads(id_file.read_text()) if id_file.exists() else {}
    return str(content["id"]) if content.get("project") == project else ""


def save_report(
    table: Table, project: str, group: tuple[str, str], pictures: Sequence[str], report_id: str
) -> "wr.Report":
    """Save the report and return it; a new one if `report_id` is empty."""
    import wandb_workspaces.reports.v2 as wr

    from bench.tracking.panels import blocks

    report = wr.Report(project=project, title=f"The generative trilemma on {group[0]}, preset {group[1]}")
    report.description, report.width = ABOUT, "fluid"
    report.blocks = blocks(table, report.entity, project, group, pictures)
    report.id = report_id
    return report.save()
