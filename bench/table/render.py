"""A Table -> Markdown, CSV, JSON, LaTeX and a figure; and whether a folder's files are what its records give."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.results.records import FLOOR
from bench.runtime.files import write_bytes, write_text
from bench.runtime.locks import exclusive
from bench.table.agreement import ABOUT, TITLE, verdict_grid
from bench.table.build import Table
from bench.table.columns import COLUMNS
from bench.table.sensitivity import ABOUT as ABOUT_FACTORS
from bench.table.sensitivity import TITLE as FACTORS
from bench.table.sensitivity import sensitivity
from bench.table.text import OTHERS, caption, figures_grids, lecture_grid, others_grid, sections

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
    others = f"**{OTHERS}**\n\n{markdown_grid(others_grid(table, '<br>'), ':-:')}\n\n" if table.others else ""
    beside = "".join(
        f"\n**{section.title}.** {section.about}.\n\n{markdown_grid(grid, '--:')}\n"
        for section, grid in sections(table.lines)
    )
    beside += f"\nMeasured on {table.beside}.\n" if beside else ""
    nine = f"**{TITLE}.** {ABOUT}.\n\n{markdown_grid(verdict_grid(table), ':--')}"
    figures = "\n\n".join(f"**{title}**\n\n{markdown_grid(grid, '--:')}" for title, grid in figures_grids(table.rows))
    factors = f"**{FACTORS}.** {ABOUT_FACTORS}.\n\n" + "\n\n".join(
        f"{title}\n\n{markdown_grid(grid, ':-:')}" for title, grid in sensitivity(table)
    )
    return f"{stamp}{lecture}\n\n{others}{caption(table)}\n\n{nine}\n\n{factors}\n\n{figures}\n{beside}"


def latex(table: Table) -> str:
    environment = Environment(
        loader=PackageLoader("bench.table"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        block_start_string="((*", block_end_string="*))", variable_start_string="(((", variable_end_string=")))",
    )  # fmt: skip
    environment.filters["tex"] = lambda text: "".join(LATEX.get(character, character) for character in str(text))
    template = environment.get_template("TABLE.tex.j2")
    return template.render(
        grids=[("", lecture_grid(table, "; ")), *([(OTHERS, others_grid(table, "; "))] if table.others else []),
               (f"{TITLE}. {ABOUT}.", verdict_grid(table)),
               *figures_grids(table.rows),
               *((f"{section.title}. {section.about}.", grid) for section, grid in sections(table.lines))],
        beside=table.beside,
        stamp=table.stamp, caption=caption(table),
    )  # fmt: skip


def csv_text(table: Table) -> str:
    """Figures at full precision, empty where nothing was measured; `_low` and `_high` are ends of 95% intervals."""
    out = io.StringIO()
    keys = [column.key for column in COLUMNS]
    ends = [f"{key}_{end}" for key in keys for end in ("low", "high")]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "family", "sampler", "headline", "seeds", *keys, *ends, "machine", "protocols", "flags",
                     "stamp"])  # fmt: skip
    for row in table.rows:
        values = [row.figures[key].value if key in row.figures else "" for key in keys]
        intervals = [(key in row.figures and row.figures[key].interval) or ("", "") for key in keys]
        said = (row.machine, " ".join(row.protocols), "; ".join(row.flags), table.stamp)
        known = (row.name, row.family, row.sampler, "yes" if row.headline else "", row.seeds)
        writer.writerow([*known, *values, *(end for pair in intervals for end in pair), *said])
    return out.getvalue()


def beside_csv_text(table: Table) -> str:
    """Block three at full precision, a line for each figure; empty ends of its 95% interval for one seed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["section", "line", "family", "seeds", "figure", "value", "low", "high", "stamp"])
    for line in table.lines:
        for key, figure in line.figures.items():
            ends = figure.interval or ("", "")
            writer.writerow([line.section, line.name, line.family, line.seeds, key, figure.value, *ends, table.stamp])
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
        x, y = ([row.figures[key].value for row in points] for key in ("seconds_per_100", "fid"))
        shares = [row.figures["coverage"].value if "coverage" in row.figures else math.nan for row in points]
        dots = axes.scatter(x, y, c=shares, plotnonfinite=True, s=130, vmin=0, vmax=1, cmap="viridis",
                            edgecolors="black", zorder=3)  # fmt: skip
        ends = [row.figures["fid"].interval or (at, at) for row, at in zip(points, y, strict=True)]
        reach = [[at - low for at, (low, _) in zip(y, ends, strict=True)],
                 [high - at for at, (_, high) in zip(y, ends, strict=True)]]  # fmt: skip
        axes.errorbar(x, y, yerr=reach, fmt="none", ecolor="dimgrey", zorder=2)
        picture.colorbar(dots, label="coverage")
        axes.margins(x=0.25, y=0.2)
    for row in table.rows:
        if row.family == FLOOR and row.model == "held-out" and "fid" in row.figures:
            floor = row.figures["fid"].value
            axes.axhline(floor, color="grey", linestyle="--", linewidth=1)
            place, frame = (1, floor), ("axes fraction", "data")
            axes.annotate(
                row.name, place, xycoords=frame, xytext=(-4, 3), textcoords="offset points",
                ha="right", color="dimgrey",
            )  # fmt: skip
    axes.set(
        xscale="log", yscale="log", xlabel="seconds for 100 images (left is faster)", ylabel="FID (down is better)"
    )
    axes.set_title(table.stamp or "Quality against speed", fontsize=11)
    axes.grid(True, which="major", alpha=0.3)
    texts = [axes.text(*at, row.name) for at, row in zip(zip(x, y, strict=True), points, strict=True)] if points else []
    if texts:  # names beside their dots, moved until none covers another
        picture.canvas.draw()
        adjust_text(  # its own limit is one second, which would make the figure depend on the machine's load
            texts, x, y, ax=axes, objects=dots, expand=(1.3, 1.6), iter_lim=200,
            arrowprops={"arrowstyle": "-", "color": "grey"},
        )  # fmt: skip
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=150)
    pyplot.close(picture)
    write_bytes(target, content.getvalue())


def texts(table: Table) -> dict[str, str]:
    """Name -> content of each file that is text."""
    return {
        "TABLE.md": markdown(table), "TABLE.csv": csv_text(table), "TABLE.beside.csv": beside_csv_text(table),
        "TABLE.json": json_text(table), "TABLE.tex": latex(table),
    }  # fmt: skip


def write(table: Table, folder: Path) -> list[Path]:
    """Write TABLE.md, .csv, .beside.csv, .json, .tex and .png into `folder`; returns the paths."""
    made = texts(table)
    with exclusive(folder, "table"):
        for name, text in made.items():
            write_text(folder / name, text)
        figure(table, folder / "TABLE.png")
    return [folder / name for name in (*made, "TABLE.png")]


def differing(table: Table, folder: Path) -> list[str]:
    """A sentence for each text file of `folder` that is missing, or is not what `write` would put there."""
    said = []
    for name, text in texts(table).items():
        file = folder / name
        if not file.exists():
            said.append(f"{file}: missing")
        elif (found := file.read_text(encoding="utf-8")) != text:
            pairs = zip_longest(found.split("\n"), text.split("\n"), fillvalue="nothing")
            line, (there, due) = next((k, pair) for k, pair in enumerate(pairs, 1) if pair[0] != pair[1])
            at = next(k for k, (a, b) in enumerate(zip_longest(there, due)) if a != b)
            there, due = (one[max(0, at - 30) : at + 30].strip() for one in (there, due))
            said.append(f"{file}, line {line}: has `{there}` where the records give `{due}`")
    return said
