"""Render all records as one self-contained HTML page."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from bench.plots.panel import Panel
from bench.report import curves, tables
from bench.report.collect import Collection, Comparison, collect
from bench.report.details import Facts, columns, details_of, result_rows, run_key, sources_of_line, sources_of_row
from bench.report.gallery import Gallery, embedded_paths, galleries
from bench.table import agreement, literature
from bench.table.answer import answer
from bench.table.chart import Chart, chart
from bench.table.describe import PAGES, facts
from bench.table.picture import environment as templates_of
from bench.table.picture import source
from bench.table.sampler_chart import sampler_panels
from bench.table.sampler_curves import Sweep, by_sweep
from bench.table.text import OTHERS, Grid, caption, curves_grid

LIMIT = 9_500_000  # bytes of a page; pictures beyond it are named, not embedded
WIDE, NARROW = (860, 470), (372, 440)  # pixels of the chart, for screens and for phones
SCRIPTS = ("filter.js", "sort.js", "details.js", "tooltip.js")


@dataclass(frozen=True)
class Section:
    """A comparison in the form of the page; what follows its galleries is empty without a table."""

    id: str
    comparison: Comparison
    title: str
    panels: list[Panel]  # a model's first
    terms: list[Panel]  # its others
    galleries: list[Gallery]
    caption: str = ""
    answer: str = ""  # who has all three ticks
    lecture: Sequence[tables.MarkRow] = ()
    others: Sequence[tables.MarkRow] = ()  # the marks of the models' other samplers
    cells: Sequence[str] = ()  # the families of the lecture's nine cells
    charts: Sequence[tuple[str, Chart]] = ()  # class of the style sheet, chart
    curves: Sequence[tuple[Sweep, Sequence[Panel], Grid]] = ()
    blocks: Sequence[tables.Block] = ()
    tasks: Sequence[tables.Block] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    protocols: Mapping[str, Facts] = field(default_factory=dict)

    @property
    def full_title(self) -> str:
        """A title that is unique on the page, for screen readers."""
        return f"{self.title}, {self.comparison.place}".removesuffix(", ")


def render(results: Path, version: str = "") -> str:
    """Render the page of a results folder; equal records and pictures give equal bytes.

    version: of a served page, which polls for changes; empty for a file. TableError if there is nothing to show,
    RecordError for a damaged record.
    """
    return render_collection(collect(results), version)


def render_collection(collection: Collection, version: str) -> str:
    """Render the page of a collection, with as many pictures as its size allows."""
    named = zip(titles(collection.comparisons), collection.comparisons, strict=True)
    sections = [section(f"c{number}", title, comparison) for number, (title, comparison) in enumerate(named)]
    environment = templates()
    words = context(environment, collection, sections, version)
    page = environment.get_template("page.html.j2")
    bare = page.render(words, embedded=set())
    everything = [gallery for part in sections for gallery in part.galleries]
    return page.render(words, embedded=embedded_paths(everything, LIMIT - len(bare.encode())))


def templates() -> Environment:
    return templates_of("bench.report", "bench.table")


def context(
    environment: Environment, collection: Collection, sections: Sequence[Section], version: str
) -> dict[str, Any]:
    """Return the variables of the page's template, without the pictures that it may embed."""
    style = "\n".join(source(environment, name) for name in ("chart.css", "style.css"))
    script = "\n".join(source(environment, name) for name in (*SCRIPTS, *(["live.js"] if version else [])))
    return {
        "sections": sections,
        "unplaced": collection.unplaced,
        "choices": [
            ("data-set", "Dataset", "all datasets", choices(section.comparison.data for section in sections)),
            ("preset", "Preset", "all presets", choices(section.comparison.preset for section in sections)),
            ("family", "Family", "all families", family_choices(sections)),
        ],
        "style": Markup(style), "script": Markup(script),
        "literature": literature, "agreement": agreement, "other_samplers": OTHERS,
        "policy": policy(style, script, served=bool(version)),
        "version": version,
        "data": data(sections),
    }  # fmt: skip


def policy(style: str, script: str, *, served: bool) -> str:
    """Return a content security policy that allows only this style, this script, and embedded pictures."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    rules = f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
    return f"{rules}base-uri 'none'; form-action 'none'" + ("; connect-src 'self'" if served else "")


def choices(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return each value that is not empty, once, with itself as its text."""
    return [(value, value) for value in dict.fromkeys(values) if value]


def family_choices(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """Return the families with a line on the page and their names, in the order of the table."""
    families: set[str] = set()
    for section in sections:
        families |= {line.family for line in section.lecture} | {panel.family for panel in section.panels}
        families |= {line.family for block in (*section.blocks, *section.tasks) for line in block.lines}
    families.discard("")
    in_order = [(family, name) for family, name in PAGES.items() if family in families]
    return in_order + choices(sorted(families - PAGES.keys()))


def titles(comparisons: Sequence[Comparison]) -> list[str]:
    """Title the comparisons of one folder by data and preset, with a number where these are equal."""
    result: list[str] = []
    counts: Counter[tuple[str, str]] = Counter()
    for comparison in comparisons:
        title = " · ".join(filter(None, (comparison.data, comparison.preset)))
        counts[comparison.place, title] += 1
        number = counts[comparison.place, title]
        result.append(title if number == 1 else f"{title} · {number}")
    return result


def section(id: str, title: str, comparison: Comparison) -> Section:
    table = comparison.table
    panels: list[Panel] = []
    terms: list[Panel] = []
    for panel in curves.panels(comparison):
        (terms if any(earlier.model == panel.model for earlier in panels) else panels).append(panel)
    if table is None:
        return Section(id, comparison, title, panels, terms, galleries(comparison, []))
    candidates = result_rows(comparison)
    rows = [(row, sources_of_row(row, candidates)) for row in table.rows]
    lines = [(line, sources_of_line(line, comparison)) for line in table.lines]
    charts = [
        (kind, drawing)
        for kind, size in (("wide", WIDE), ("narrow", NARROW))
        if (drawing := chart(table, *size)) is not None
    ]
    details = {f"{id}-row{k}": details_of(row, comparison.place, sources) for k, (row, sources) in enumerate(rows)} | {
        f"{id}-line{k}": details_of(line, comparison.place, sources) for k, (line, sources) in enumerate(lines)
    }
    measurements = [sources for _, sources in rows] + [sources for _, sources in lines]
    return Section(
        id, comparison, title, panels, terms, galleries(comparison, rows),
        caption=caption(table),
        answer=answer(table),
        lecture=tables.lecture(table),
        others=tables.other_sampler_rows(table),
        cells=[entry.family for entry in agreement.agreements(table)],
        charts=charts,
        curves=[(sweep, sampler_panels(sweep, own), curves_grid(sweep, own)) for sweep, own in by_sweep(table.curves)],
        blocks=tables.blocks(table),
        tasks=tables.task_blocks(table),
        details=details,
        protocols={source.fingerprint: source.protocol for sources in measurements for source in sources},
    )  # fmt: skip


def data(sections: Sequence[Section]) -> dict[str, Any]:
    """Return the data of the details, each run and each protocol once."""
    shown_tables = [section.comparison.table for section in sections if section.comparison.table]
    return {
        "columns": columns(
            {key for table in shown_tables for row in table.rows for key in row.figures},
            {line.section for table in shown_tables for line in table.lines},
            [*{column.key: column for table in shown_tables for column in table.own}.values()],
        ),
        "details": {key: value for section in sections for key, value in section.details.items()},
        "protocols": {key: value for section in sections for key, value in section.protocols.items()},
        "runs": {
            run_key(section.comparison.place, record): list(facts(record).items())
            for section in sections
            for record in section.comparison.records
        },
    }
