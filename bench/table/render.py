"""Render a Table as Markdown, CSV, JSON, LaTeX and a picture, and check whether a folder's files are up to date."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.runtime.files import write_bytes, write_text
from bench.runtime.locks import exclusive
from bench.table.agreement import ABOUT, TITLE, agreement_grid
from bench.table.answer import TITLE as QUESTION
from bench.table.answer import answer
from bench.table.build import Table
from bench.table.columns import columns_of
from bench.table.label_grids import label_grids
from bench.table.picture import drawings, is_rendered_from, png
from bench.table.sampler_curves import by_sweep
from bench.table.sensitivity import ABOUT as ABOUT_FACTORS
from bench.table.sensitivity import TITLE as FACTORS
from bench.table.sensitivity import sensitivity
from bench.table.text import OTHERS, caption, curves_grid, figures_grids, heading, lecture_grid, others_grid, sections

LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "×": r"$\times$", "✓": r"$\checkmark$",
         "±": r"$\pm$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "ε": r"$\varepsilon$",
         "≈": r"$\approx$", "†": r"$\dagger$", "∞": r"$\infty$"}  # fmt: skip


def markdown_grid(grid: Sequence[Sequence[str]], align: str) -> str:
    """Return aligned Markdown: the first column to the left, the others by `align` (":-:" or "--:")."""
    widths = [max(3, *(len(line[i]) for line in grid)) for i in range(len(grid[0]))]
    body = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in grid]
    rule = "|".join(["", ":--", *[align] * (len(widths) - 1), ""])
    return "\n".join([body[0], rule, *body[1:]])


def markdown(table: Table) -> str:
    stamp = f"> **{table.stamp}**\n\n" if table.stamp else ""
    lecture = markdown_grid(lecture_grid(table, "<br>"), ":-:")
    others = f"**{OTHERS}**\n\n{markdown_grid(others_grid(table, '<br>'), ':-:')}\n\n" if table.others else ""
    task_sections = "".join(
        f"\n**{section.title}.** {section.about}.\n\n{markdown_grid(grid, '--:')}\n"
        for section, grid in sections(table.lines)
    )
    task_sections += f"\nMeasured on {table.beside}.\n" if task_sections else ""
    nine = f"**{TITLE}.** {ABOUT}.\n\n{markdown_grid(agreement_grid(table), ':--')}"
    curves = "".join(
        f"**{sweep.title}.** {sweep.about}.\n\n{markdown_grid(curves_grid(sweep, own), '--:')}\n\n"
        for sweep, own in by_sweep(table.curves)
    )
    grids = [*figures_grids(table.rows, table.own), *label_grids(table.rows)]
    figures = "\n\n".join(f"**{title}**\n\n{markdown_grid(grid, '--:')}" for title, grid in grids)
    factors = f"**{FACTORS}.** {ABOUT_FACTORS}.\n\n" + "\n\n".join(
        f"{title}\n\n{markdown_grid(grid, ':-:')}" for title, grid in sensitivity(table)
    )
    words = f"{caption(table)}\n\n**{QUESTION}.** {answer(table)}"
    return f"{stamp}{lecture}\n\n{others}{words}\n\n{nine}\n\n{factors}\n\n{curves}{figures}\n{task_sections}"


def latex(table: Table) -> str:
    environment = Environment(
        loader=PackageLoader("bench.table"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        block_start_string="((*", block_end_string="*))", variable_start_string="(((", variable_end_string=")))",
    )  # fmt: skip
    environment.filters["tex"] = lambda text: "".join(LATEX.get(character, character) for character in str(text))
    template = environment.get_template("TABLE.tex.j2")
    return template.render(
        grids=[("", lecture_grid(table, "; ")), *([(OTHERS, others_grid(table, "; "))] if table.others else []),
               (f"{TITLE}. {ABOUT}.", agreement_grid(table)),
               *((f"{sweep.title}. {sweep.about}.", curves_grid(sweep, own)) for sweep, own in by_sweep(table.curves)),
               *figures_grids(table.rows, table.own), *label_grids(table.rows),
               *((f"{section.title}. {section.about}.", grid) for section, grid in sections(table.lines))],
        beside=table.beside,
        stamp=table.stamp, caption=caption(table), question=QUESTION, answer=answer(table),
    )  # fmt: skip


def csv_text(table: Table) -> str:
    """Return the lines of figures as CSV, empty where not measured."""
    out = io.StringIO()
    lines = figure_lines(table)
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(line | {"headline": "yes" if line["headline"] else ""} for line in lines)
    return out.getvalue()


def figure_lines(table: Table) -> list[dict[str, Any]]:
    """Return a line for each row: figures at full precision, in their columns' units, None where not measured.

    `KEY_low` and `KEY_high` are the ends of 95% intervals.
    """
    keys = [column.key for column in columns_of({key for row in table.all_rows for key in row.figures}, table.own)]
    ends = [f"{key}_{end}" for key in keys for end in ("low", "high")]
    lines = []
    for row in table.all_rows:
        values = [row.figures[key].value if key in row.figures else None for key in keys]
        intervals = [(key in row.figures and row.figures[key].interval) or (None, None) for key in keys]
        lines.append({
            "row": row.name, "family": row.family, "sampler": row.sampler, "headline": row.headline,
            "seeds": row.seeds, **dict(zip(keys, values, strict=True)),
            **dict(zip(ends, (end for pair in intervals for end in pair), strict=True)),
            "machine": row.machine, "protocols": " ".join(row.protocols), "flags": "; ".join(row.flags),
            "stamp": table.stamp,
        })  # fmt: skip
    return lines


def tasks_csv_text(table: Table) -> str:
    """Return the tasks' figures at full precision, a line for each; the ends of the interval are empty for one seed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["section", "line", "family", "seeds", "figure", "value", "low", "high", "stamp"])
    for line in table.lines:
        for key, figure in line.figures.items():
            ends = figure.interval or ("", "")
            writer.writerow([line.section, line.name, line.family, line.seeds, key, figure.value, *ends, table.stamp])
    return out.getvalue()


def json_text(table: Table) -> str:
    """Return all of the table as JSON; a curve names the setting in which its rows differ."""
    own = {column.key: {"heading": heading(column), "about": column.about} for column in table.own}
    values = dataclasses.asdict(dataclasses.replace(table, own=()))
    del values["own"]
    for curve, of_table in zip(values["curves"], table.curves, strict=True):
        curve["sweep"] = of_table.sweep.setting
    values |= {"caption": caption(table), "answer": answer(table)} | ({"own": own} if own else {})
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def texts(table: Table) -> dict[str, str]:
    """Return the content of each text file, by name."""
    return {
        "TABLE.md": markdown(table), "TABLE.csv": csv_text(table), "TABLE.beside.csv": tasks_csv_text(table),
        "TABLE.json": json_text(table), "TABLE.tex": latex(table),
    }  # fmt: skip


def write(table: Table, folder: Path) -> list[Path]:
    """Write TABLE.md, .csv, .beside.csv, .json, .tex, .png, and a drawing of each kind of curves; return the paths."""
    contents, pictures = texts(table), drawings(table)
    with exclusive(folder, "table"):
        for name, text in contents.items():
            write_text(folder / name, text)
        for name, drawing in pictures.items():
            write_bytes(folder / name, png(drawing))
    return [folder / name for name in (*contents, *pictures)]


def file_problems(table: Table, folder: Path) -> list[str]:
    """Return a sentence for each file of `folder` that is missing or differs from what `write` would write."""
    problems = []
    for name, text in texts(table).items():
        file = folder / name
        if not file.exists():
            problems.append(f"{file}: missing")
        elif (content := file.read_text(encoding="utf-8")) != text:
            problems.append(f"{file}, {first_difference(content, text)}")
    for name, drawing in drawings(table).items():
        picture = folder / name
        if not picture.exists():
            problems.append(f"{picture}: missing")
        elif not is_rendered_from(picture, drawing):
            problems.append(f"{picture}: not drawn from these records")
    return problems


def first_difference(actual: str, expected: str) -> str:
    """Describe the first difference of a text from the expected one."""
    pairs = zip_longest(actual.split("\n"), expected.split("\n"), fillvalue="nothing")
    line, (actual_line, expected_line) = next((k, pair) for k, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    at = next(k for k, (a, b) in enumerate(zip_longest(actual_line, expected_line)) if a != b)
    actual_line, expected_line = (
        line_text[max(0, at - 30) : at + 30].strip() for line_text in (actual_line, expected_line)
    )
    return f"line {line}: has `{actual_line}` where the records give `{expected_line}`"
