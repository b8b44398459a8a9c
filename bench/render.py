"""A Table -> Markdown, CSV, JSON, LaTeX, a figure, and the terminal."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from bench.columns import COLUMNS, UNSURE
from bench.grids import Grid, caption, figures_grids, lecture_grid, sections
from bench.locks import exclusive
from bench.records import FLOOR, write_bytes, write_text
from bench.table import Table

LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "×": r"$\times$", "✓": r"$\checkmark$",
         "±": r"$\pm$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "ε": r"$\varepsilon$",
         "≈": r"$\approx$", "†": r"$\dagger$", "∞": r"$\infty$"}  # fmt: skip


def markdown_grid(grid: Sequence[Sequence[str]], align: str) -> str:
    """Aligned Markdown: the first column to the left, the others as `align` says (":-:" or "--:")."""
    widths = [max(3, *(len(line[i]) for line in grid)) for i in range(len(grid[0]))]
    body = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in grid]
    rule = "|".join(["", ":--", *[align] * (len(widths) - 1), ""])
    return "\n".join([body[0], rule, *body[1:]])


def markdown(table: Table) -> str:
    stamp = f"> **{table.stamp}**\n\n" if table.stamp else ""
    lecture = markdown_grid(lecture_grid(table, "<br>"), ":-:")
    beside = "".join(
        f"\n**{section.title}.** {section.about}.\n\n{markdown_grid(grid, '--:')}\n"
        for section, grid in sections(table)
    )
    beside += f"\nMeasured on {table.beside}.\n" if beside else ""
    figures = "\n\n".join(f"**{title}**\n\n{markdown_grid(grid, '--:')}" for title, grid in figures_grids(table))
    return f"{stamp}{lecture}\n\n{caption(table)}\n\n{figures}\n{beside}"


def latex(table: Table) -> str:
    environment = Environment(
        loader=PackageLoader("bench"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        block_start_string="((*", block_end_string="*))", variable_start_string="(((", variable_end_string=")))",
    )  # fmt: skip
    environment.filters["tex"] = lambda text: "".join(LATEX.get(character, character) for character in str(text))
    template = environment.get_template("TABLE.tex.j2")
    return template.render(
        grids=[("", lecture_grid(table, "; ")), *figures_grids(table),
               *((f"{section.title}. {section.about}.", grid) for section, grid in sections(table))],
        beside=table.beside,
        stamp=table.stamp, caption=caption(table),
    )  # fmt: skip


def csv_text(table: Table) -> str:
    """Figures at full precision, empty where nothing was measured; `_95` columns hold intervals' half widths."""
    out = io.StringIO()
    keys = [column.key for column in COLUMNS]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "family", "seeds", *keys, *(f"{key}_95" for key in keys), "protocols", "flags", "stamp"])
    for row in table.rows:
        values = [source.get(key, "") for source in (row.figures, row.intervals) for key in keys]
        said = (" ".join(row.protocols), "; ".join(row.flags), table.stamp)
        writer.writerow([row.name, row.family, row.seeds, *values, *said])
    return out.getvalue()


def beside_csv_text(table: Table) -> str:
    """Block three at full precision, a line for each figure; `half_width_95` is empty for one seed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["section", "line", "family", "seeds", "figure", "value", "half_width_95", "stamp"])
    for line in table.lines:
        for key, value in line.figures.items():
            writer.writerow([line.section, line.name, line.family, line.seeds, key, value, line.intervals.get(key, ""),
                             table.stamp])  # fmt: skip
    return out.getvalue()


def json_text(table: Table) -> str:
    return json.dumps(dataclasses.asdict(table) | {"caption": caption(table)}, indent=1, ensure_ascii=False) + "\n"


def figure(table: Table, target: Path) -> None:
    """Quality against the time for 100 images, both logarithmic, with coverage as colour; the floor as a line."""
    import matplotlib
    from adjustText import adjust_text

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = [row for row in table.rows if row.family != FLOOR and {"fid", "seconds_per_100"} <= row.figures.keys()]
    picture, axes = pyplot.subplots(figsize=(7.5, 4.5), constrained_layout=True)
    if points:
        x, y = ([row.figures[key] for row in points] for key in ("seconds_per_100", "fid"))
        dots = axes.scatter(x, y, c=[row.figures["coverage"] for row in points], s=130, vmin=0, vmax=1, cmap="viridis",
                            edgecolors="black", zorder=3)  # fmt: skip
        reach = [row.intervals.get("fid", 0) for row in points]
        axes.errorbar(x, y, yerr=reach, fmt="none", ecolor="dimgrey", zorder=2)
        picture.colorbar(dots, label="coverage")
        axes.margins(x=0.25, y=0.2)
    for row in table.rows:
        if row.family == FLOOR:
            axes.axhline(row.figures["fid"], color="grey", linestyle="--", linewidth=1)
            place, frame = (1, row.figures["fid"]), ("axes fraction", "data")
            axes.annotate(
                "held-out images", place, xycoords=frame, xytext=(-4, 3), textcoords="offset points",
                ha="right", color="dimgrey",
            )  # fmt: skip
    axes.set(
        xscale="log", yscale="log", xlabel="seconds for 100 images (left is faster)", ylabel="FID (down is better)"
    )
    axes.set_title(table.stamp or "Quality against speed", fontsize=11)
    axes.grid(True, which="major", alpha=0.3)
    texts = [axes.text(row.figures["seconds_per_100"], row.figures["fid"], row.name) for row in points]
    if texts:  # names beside their dots, moved until none covers another
        picture.canvas.draw()
        adjust_text(
            texts, x, y, ax=axes, objects=dots, expand=(1.3, 1.6), arrowprops={"arrowstyle": "-", "color": "grey"}
        )
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=150)
    pyplot.close(picture)
    write_bytes(target, content.getvalue())


def write(table: Table, folder: Path) -> list[Path]:
    """Write TABLE.md, .csv, .beside.csv, .json, .tex and .png into `folder`; returns the paths."""
    texts = {
        "md": markdown(table), "csv": csv_text(table), "beside.csv": beside_csv_text(table), "json": json_text(table),
        "tex": latex(table),
    }  # fmt: skip
    with exclusive(folder, "table"):
        for ending, text in texts.items():
            write_text(folder / f"TABLE.{ending}", text)
        figure(table, folder / "TABLE.png")
    return [folder / f"TABLE.{ending}" for ending in (*texts, "png")]


def show(table: Table, console: Console) -> None:
    """Print the blocks for a person at a terminal: the figures turned, a column for each row."""
    if table.stamp:
        console.print(f"[bold yellow]{table.stamp}[/]\n")
    colours = {"✓": "green", "×": "red", UNSURE: "yellow", "–": "dim"}
    block = RichTable(title="The lecture's table, measured", show_lines=True)
    head, *lines = lecture_grid(table, "\n")
    for title in head:
        block.add_column(title, justify="center" if title else "left")
    for name, *cells in lines:
        block.add_row(name, *(f"[{colours[cell[0]]}]{cell[0]}[/]{cell[1:]}" for cell in cells))
    console.print(block)
    console.print(caption(table), style="dim")
    parts = [(title, part) for title, grid in figures_grids(table) for part in turned(grid, console.width)]
    for name, columns in parts:
        figures = RichTable(title=name, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, title in enumerate(columns[0]):
            figures.add_column(title, justify="right" if number else "left", no_wrap=True)
        for line in columns[1:]:
            figures.add_row(*line)
        console.print(figures)
    for section, grid in sections(table):
        block = RichTable(title=section.title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for number, words in enumerate(grid[0]):
            block.add_column(words, justify="left" if number == 0 else "right")
        for line in grid[1:]:
            block.add_row(*line)
        console.print(block)
    if table.beside:
        console.print(f"Measured on {table.beside}.", style="dim")


def turned(grid: Grid, width: int) -> list[Grid]:
    """A grid with lines for columns, cut into as many as keep within `width` characters; headings break at words."""
    names, *lines = ([cell.replace(", ", "\n") if i == 0 else cell for i, cell in enumerate(line)] for line in grid)
    names[0] = ""
    first = max(map(len, names)) + 1
    made: list[Grid] = []
    room = 0
    for line in lines:
        line[0] = line[0].replace("-", "\n").replace(" ", "\n")
        wide = 2 + max(len(word) for cell in line for word in cell.split("\n"))
        if wide > room:
            made.append([names])
            room = width - first - 4
        made[-1].append(line)
        room -= wide
    return [[list(line) for line in zip(*part, strict=True)] for part in made]
