"""At 80 columns, a narrow terminal's, nothing is cut where names differ."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.table import terminal, text
from bench.table.build import Table, build
from tests.bench.records import figures, lecture, record, skilled

HERE = Path("results")


def long_names() -> Table:
    """Models that differ in several settings, with samplers of long names and tasks."""
    runs = []
    for rate in (0.002, 0.0002):
        for architecture in ("conv", "linear"):
            settings = {"learning_rate": rate, "architecture": architecture, "latent_dimension_of_the_code": 16}
            vae = skilled()[0]
            rows = {f"ancestral-1000-{word}": figures(4, 0.9, 90, nfe=1000) for word in ("forwards", "backwards")}
            ddpm = record("ddpm", "diffusion", rows=rows)
            for run in (vae, ddpm):
                run.run_id = f"{run.run_id}-{rate}-{architecture}"
                run.config["model"] |= settings
                runs.append(run)
    return build([*runs, *lecture()[1:2], *lecture()[3:]], HERE)


@pytest.mark.parametrize("width", [80, 60])
def test_nothing_is_shortened(width: int) -> None:
    out = io.StringIO()
    terminal.show(long_names(), Console(file=out, width=width, highlight=False))
    assert "…" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width


@pytest.mark.parametrize("width", [80, 60])
def test_names_of_the_tasks_stand_in_full(width: int) -> None:
    """With # for all else, what is left of a block are its names."""
    for _, grid in text.sections(long_names().lines):
        hidden = [[line[0], *("#" * len(cell) for cell in line[1:])] for line in grid[1:]]
        out = io.StringIO()
        block = terminal.text_table("", [["" for _ in grid[0]], *hidden])
        Console(file=out, width=width, highlight=False).print(block)
        left = "".join(out.getvalue().replace("#", "").replace("─", "").split())
        assert left == "".join(line[0] for line in grid[1:]).replace(" ", "")
