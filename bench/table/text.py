"""Convert a Table to grids of text, each with a first line of headings."""

from collections.abc import Sequence

from bench.evaluation.tasks.registry import TERM
from bench.table.build import Cell, Table
from bench.table.columns import NONE, SECTIONS, Column, Section, blocks_of
from bench.table.rows import Row
from bench.table.rules import BASELINES, BEYOND, FAMILIES, UNSURE, Baseline, Fastest, Rule
from bench.table.sampler_curves import SamplerCurve, Sweep
from bench.table.tasks import Line

Grid = list[list[str]]
OTHERS = "Other samplers"  # the heading of their marks


def heading(column: Column) -> str:
    """Return a column's heading with an arrow in the direction of better figures."""
    return column.heading + {"lower": " ↓", "higher": " ↑", "": ""}[column.better]


def caption(table: Table) -> str:
    """Explain the marks and what the figures depend on."""
    rules = "; ".join(rule_text(table, rule) for rule in table.rules)
    protocol = table.protocol[0].upper() + table.protocol[1:]
    sentences = [
        f"Marks by rule: {rules}; {UNSURE} where the 95% interval of the difference from that bar (Welch's) contains 0"
        f"{', or the figures disagree' if any(len(rule.keys) > 1 for rule in table.rules) else ''}",
        one_seed_text(table),
        "All cells of a line are from one row, that of the model's headline sampler",
        intervals_text(table),
        protocol,
        f"Timings on {table.hardware}",
        *notes(table),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def rule_text(table: Table, rule: Rule) -> str:
    """Describe a rule with the figures of its bar, or with the command that measures them."""
    title = rule.title[0].lower() + rule.title[1:]
    bar = next((row for row in table.rows if row.name == table.bars[rule.title]), None)
    headings = " and ".join(column.heading for column in rule.columns)
    if isinstance(rule.bar, Baseline) and bar is None:
        name = BASELINES[rule.bar.name]
        command = f"bench train preset={table.preset.partition('+')[0]} data={table.data}"
        return f"{title}: {NONE}, because its bar, {headings} of {name}, is not recorded (`{command}` measures it)"
    bar_name = f"that of {bar.name}" if bar and isinstance(rule.bar, Baseline) else "the fastest model's"
    relation = "at least" if rule.columns[0].better == "higher" else "at most"
    times = "" if rule.bar.factor == 1 else f"{rule.bar.factor:g} × "
    figures = ", ".join(column.show(bar.figures[column.key]) for column in rule.columns) if bar else "not timed"
    named = f"{bar.name}: " if bar and isinstance(rule.bar, Fastest) else ""
    return f"{title}: ✓ where {headings} is {relation} {times}{bar_name} ({named}{figures})"


def one_seed_text(table: Table) -> str:
    """Explain the brackets, where there are any."""
    cells = [cell for row in table.lecture.values() for cell in row.values()]
    if not any(cell.label != cell.mark for cell in cells):
        return ""
    return (
        "(✓) and (×) are based on one training seed, of the model or of the model that sets the bar: the interval "
        "covers samples or timings only, not the variance of training, so these marks neither support nor contradict "
        "the lecture"
    )


def intervals_text(table: Table) -> str:
    several = any(row.seeds > 1 for row in table.rows)
    source = "over training seeds where a row has several, otherwise over samples" if several else "over samples"
    return (
        f"± is half a 95% interval {source}; (low – high) are the ends of an asymmetric interval; figures without an "
        "interval are taken as exact"
    )


def notes(table: Table) -> list[str]:
    """Name what is doubtful, excluded or missing."""
    elsewhere = [f"{row.name} ({row.machine})" for row in table.rows if row.machine and row.machine != table.machine]
    return [
        f"Timed on other hardware, without a mark for speed: {'; '.join(elsewhere)}" if elsewhere else "",
        *(f"† {row.name}: {'; '.join(row.flags)}" for row in table.rows if row.flags),
        *(f"{row.name} has no mean of {'; '.join(row.missing)}" for row in table.rows if row.missing),
        f"Excluded (different protocol): {'; '.join(table.left_out)}" if table.left_out else "",
        f"Diverged, without figures: {'; '.join(table.failed)}" if table.failed else "",
    ]


def parts(cell: Cell) -> list[str]:
    """Return a cell's mark with its figures, and the comparison with the lecture if it has a mark."""
    if not cell.figures:
        return [cell.label]
    comparison = "as in the lecture" if cell.agrees else f"the lecture: {cell.lecture}" if cell.lecture else ""
    return [f"{cell.label} {cell.figure}", *([comparison] if comparison else [])]


def lecture_grid(table: Table, separator: str) -> Grid:
    """Return the lecture's table as text, its criteria as columns: a line for each model, its cells' parts joined."""
    lines = [
        [name, *(separator.join(parts(cells[model])) for cells in table.lecture.values())]
        for name, model in zip(contenders(table, separator), table.contenders, strict=True)
    ]
    return [["", *table.lecture], *lines]


def others_grid(table: Table, separator: str) -> Grid:
    """Return the marks of the models' other samplers; only the headings where there are none."""
    lines = [[name, *(separator.join(parts(cells[name])) for cells in table.lecture.values())] for name in table.others]
    return [["model, sampler", *table.lecture], *lines]


def contenders(table: Table, separator: str) -> list[str]:
    """Return each model's headline row under the lecture's name for its family, or the family's own name."""
    row_names = {row.model: row.model for row in table.rows}
    row_names |= {row.model: row.name for row in table.rows if row.headline}
    return [
        (FAMILIES | BEYOND).get(family, family) + (f"{separator}{row_names[model]}" if model in row_names else "")
        for model, family in table.contenders.items()
    ]


def figures_grids(rows: Sequence[Row], own: Sequence[Column] = ()) -> list[tuple[str, Grid]]:
    """Return the figures as text: a line for each row, in grids of the columns that any row fills; none is empty.

    own: the columns of metrics of the user's own.
    """
    grids = []
    for title, columns in blocks_of(own).items():
        nonempty = [column for column in columns if any(column.key in row.figures for row in rows)]
        grid = [["model, sampler", *map(heading, nonempty)]]
        for row in rows:
            if any(column.key in row.figures for column in nonempty):
                grid.append([row_label(row), *(column.show(row.figures.get(column.key)) for column in nonempty)])
        if nonempty:
            grids.append((title, grid))
    return grids


def curves_grid(sweep: Sweep, curves: Sequence[SamplerCurve]) -> Grid:
    """Return the points of a sweep's curves as text, a line for each."""
    keys = {key for curve in curves for row in curve.rows for key in row.figures}
    position, *others = (column for column in sweep.columns if column.key in keys or not column.optional)
    lines = [
        [
            f"{curve.model}, {curve.sampler}",
            position.number(place),
            *(column.show(row.figures.get(column.key)) for column in others),
        ]
        for curve in curves
        for place, row in zip(curve.places, curve.rows, strict=True)
    ]
    return [["model, sampler", *map(heading, (position, *others))], *lines]


def row_label(row: Row) -> str:
    """Return a row's name, with its number of seeds and a dagger where its figures are doubtful."""
    return row.name + (f" ({row.seeds} seeds)" if row.seeds > 1 else "") + (" †" if row.flags else "")


def section_grid(section: Section, lines: Sequence[Line]) -> Grid:
    """Return a section of the tasks as text, with a bound's terms in a last column; only headings where it is empty."""
    section_lines = [line for line in lines if line.section == section.key]
    grid = [[section.first, *map(heading, section.columns)]]
    for line in section_lines:
        cells = [column.show(line.figures.get(column.key)) for column in section.columns]
        grid.append([line.name + (f" ({line.seeds} seeds)" if line.seeds > 1 else ""), *cells])
    terms = [
        " + ".join(
            f"{key.removeprefix(TERM)} {figure.value:.4f}"
            for key, figure in line.figures.items()
            if key.startswith(TERM)
        )
        for line in section_lines
    ]
    return [[*line, term] for line, term in zip(grid, ["of which", *terms], strict=True)] if any(terms) else grid


def sections(lines: Sequence[Line]) -> list[tuple[Section, Grid]]:
    """Return the sections of the tasks that have lines."""
    grids = ((section, section_grid(section, lines)) for section in SECTIONS)
    return [(section, grid) for section, grid in grids if len(grid) > 1]
