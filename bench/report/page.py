"""Records -> one HTML page that needs nothing beside itself."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from bench.report import curves, tables
from bench.report.collect import Collected, Comparison, collect
from bench.report.curves import Panel
from bench.report.details import Facts, columns, measured, of_line, of_row, run_key, shared
from bench.report.gallery import Gallery, fitting, galleries
from bench.table import agreement as verdicts
from bench.table import literature
from bench.table.chart import Chart, chart
from bench.table.describe import PAGES, said
from bench.table.picture import environment as templates_of
from bench.table.picture import source
from bench.table.text import OTHERS, caption

LIMIT = 9_500_000  # bytes of a page; pictures that would go beyond are named and left out
WIDE, NARROW = (860, 470), (372, 440)  # pixels of the chart, for screens and for phones
SCRIPTS = ("filter.js", "sort.js", "details.js", "tooltip.js")


@dataclass(frozen=True)
class Section:
    """A comparison as the page shows it."""

    id: str
    comparison: Comparison
    title: str
    caption: str
    lecture: list[tables.Judged]
    others: list[tables.Judged]  # the marks of the models' other samplers
    cells: list[str]  # the families of the lecture's nine cells
    charts: list[tuple[str, Chart]]  # class of the style sheet, chart
    blocks: list[tables.Block]
    beside: list[tables.Block]
    panels: list[Panel]  # a model's first
    terms: list[Panel]  # its others
    galleries: list[Gallery]
    details: Mapping[str, Any]
    protocols: Mapping[str, Facts]

    @property
    def full_title(self) -> str:
        """Unlike any other of the page, for those who hear it and see no place."""
        return f"{self.title}, {self.comparison.place}".removesuffix(", ")


def render(results: Path, version: str = "") -> str:
    """The page of a results folder; equal records and pictures give equal bytes.

    version: of a served page, which asks for changes; empty for a file. TableError if there is nothing to show,
    RecordError for a damaged record.
    """
    return filled(collect(results), version)


def filled(collected: Collected, version: str) -> str:
    """The page of what was collected, with as many pictures as it holds."""
    named = zip(titles(collected.comparisons), collected.comparisons, strict=True)
    sections = [section(f"c{number}", title, one) for number, (title, one) in enumerate(named)]
    environment = templates()
    words = context(environment, collected, sections, version)
    page = environment.get_template("page.html.j2")
    bare = page.render(words, embedded=set())
    everything = [gallery for one in sections for gallery in one.galleries]
    return page.render(words, embedded=fitting(everything, LIMIT - len(bare.encode())))


def templates() -> Environment:
    return templates_of("bench.report", "bench.table")


def context(
    environment: Environment, collected: Collected, sections: Sequence[Section], version: str
) -> dict[str, Any]:
    """What the page's template is given beside the pictures that it may embed."""
    style = "\n".join(source(environment, name) for name in ("chart.css", "style.css"))
    script = "\n".join(source(environment, name) for name in (*SCRIPTS, *(["live.js"] if version else [])))
    return {
        "sections": sections,
        "unplaced": collected.unplaced,
        "choices": [
            ("data-set", "Dataset", "all datasets", same(one.comparison.data for one in sections)),
            ("preset", "Preset", "all presets", same(one.comparison.preset for one in sections)),
            ("family", "Family", "all families", present(sections)),
        ],
        "style": Markup(style), "script": Markup(script),
        "literature": literature, "verdicts": verdicts, "other_samplers": OTHERS,
        "policy": policy(style, script, served=bool(version)),
        "version": version,
        "data": data(sections),
        "panel_size": (curves.WIDTH, curves.HEIGHT),
    }  # fmt: skip


def policy(style: str, script: str, *, served: bool) -> str:
    """A content security policy that lets nothing run or load but this very style, script, and embedded pictures."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    rules = f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
    return f"{rules}base-uri 'none'; form-action 'none'" + ("; connect-src 'self'" if served else "")


def same(values: Iterable[str]) -> list[tuple[str, str]]:
    """Each value that is not empty, once, with itself as its text."""
    return [(value, value) for value in dict.fromkeys(values) if value]


def present(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """The families that have a line somewhere and their names, in the order of the table."""
    found: set[str] = set()
    for one in sections:
        found |= {line.family for line in one.lecture} | {panel.family for panel in one.panels}
        found |= {line.family for block in (*one.blocks, *one.beside) for line in block.lines}
    found.discard("")
    return [(family, name) for family, name in PAGES.items() if family in found] + same(sorted(found - PAGES.keys()))


def titles(comparisons: Sequence[Comparison]) -> list[str]:
    """What tells comparisons of one folder apart: data and preset, and a number where these do not."""
    made: list[str] = []
    seen: Counter[tuple[str, str]] = Counter()
    for one in comparisons:
        title = " · ".join(filter(None, (one.data, one.preset)))
        seen[one.place, title] += 1
        number = seen[one.place, title]
        made.append(title if number == 1 else f"{title} · {number}")
    return made


def section(id: str, title: str, comparison: Comparison) -> Section:
    table = comparison.table
    panels: list[Panel] = []
    terms: list[Panel] = []
    for panel in curves.panels(comparison):
        (terms if any(one.model == panel.model for one in panels) else panels).append(panel)
    if table is None:
        return Section(
            id, comparison, title, "", [], [], [], [], [], [], panels, terms, galleries(comparison, []), {}, {}
        )
    each = measured(comparison)
    rows = [(row, of_row(row, each)) for row in table.rows]
    lines = [(line, of_line(line, comparison)) for line in table.lines]
    charts = [
        (kind, made) for kind, size in (("wide", WIDE), ("narrow", NARROW)) if (made := chart(table, *size)) is not None
    ]
    details = {f"{id}-row{k}": shared(row, comparison.place, found) for k, (row, found) in enumerate(rows)} | {
        f"{id}-line{k}": shared(line, comparison.place, found) for k, (line, found) in enumerate(lines)
    }
    measurements = [found for _, found in rows] + [found for _, found in lines]
    protocols = {source.fingerprint: source.protocol for found in measurements for source in found}
    cells = [one.family for one in verdicts.verdicts(table)]
    return Section(
        id, comparison, title, caption(table), tables.lecture(table), tables.others(table), cells, charts,
        tables.blocks(table), tables.beside(table), panels, terms, galleries(comparison, rows), details, protocols,
    )  # fmt: skip


def data(sections: Sequence[Section]) -> dict[str, Any]:
    """What the details are made from, each run and each protocol once."""
    return {
        "columns": columns(),
        "details": {key: value for one in sections for key, value in one.details.items()},
        "protocols": {key: value for one in sections for key, value in one.protocols.items()},
        "runs": {
            run_key(one.comparison.place, record): list(said(record).items())
            for one in sections
            for record in one.comparison.records
        },
    }
