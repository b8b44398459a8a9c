"""Draw the table's charts as PNG files: the page's SVG in light colours, rendered by resvg.

Its font is the DejaVu Sans that comes with matplotlib, so that the picture does not depend on a machine's fonts.
"""

import hashlib
import io
import re
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from bench.table.build import Table
from bench.table.chart import chart
from bench.table.sampler_chart import sampler_panels
from bench.table.sampler_curves import SamplerCurve, Sweep, by_sweep

WIDTH, HEIGHT, ZOOM = 860, 470, 2
ACROSS = 3  # panels of curves in a row
FONT, FONT_FILE = "DejaVu Sans", "mpl-data/fonts/ttf/DejaVuSans.ttf"
DIGEST = "Drawing"  # key of the SVG's digest in the PNG file


def environment(*packages: str) -> Environment:
    """Return the environment of the HTML and SVG templates of packages."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters["px"] = lambda number: f"{number:.1f}".removesuffix(".0")
    return templates


def source(templates: Environment, name: str) -> str:
    """Return the text of a template."""
    assert templates.loader is not None
    return templates.loader.get_source(templates, name)[0]


def drawings(table: Table) -> dict[str, str]:
    """Return the SVG of each picture of the table, by file name."""
    curves = {sweep.file: curves_svg(sweep, own, table.data) for sweep, own in by_sweep(table.curves)}
    return {"TABLE.png": speed_svg(table), **curves}


def curves_svg(sweep: Sweep, curves: Sequence[SamplerCurve], data: str) -> str:
    """Draw the curves of a sweep: for each model rows of at most ACROSS panels, each row above its legend."""
    templates = environment("bench.table")
    panels = sampler_panels(sweep, curves)
    groups = [list(group) for _, group in groupby(panels, key=lambda panel: panel.model)]
    rows = [group[k : k + ACROSS] for group in groups for k in range(0, len(group), ACROSS)]
    return templates.get_template("curves.svg.j2").render(
        rows=rows, across=ACROSS, style=light(source(templates, "chart.css")), title=f"{sweep.title} on {data}"
    )


def speed_svg(table: Table) -> str:
    """Draw quality against speed under the table's stamp or a title; a sentence where there is nothing to draw."""
    templates = environment("bench.table")
    return templates.get_template("picture.svg.j2").render(
        chart=chart(table, WIDTH, HEIGHT), width=WIDTH, height=HEIGHT, style=light(source(templates, "chart.css")),
        title=table.stamp or f"Quality against speed on {table.data}",
    )  # fmt: skip


def light(style: str) -> str:
    """Resolve a style sheet's light colours and variables, which resvg does not support."""
    rules = re.sub(r"light-dark\((.+?), .+?\)", r"\1", style)
    values = dict(re.findall(r"--([\w-]+): (.+?);", rules))
    return re.sub(r"var\(--([\w-]+)\)", lambda match: values[match[1]], re.sub(r"(?s):root \{.*?\}", "", rules))


def png(drawing: str) -> bytes:
    """Render an SVG; equal drawings give equal bytes with equal versions of resvg and Pillow."""
    import resvg_py
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    matplotlib = find_spec("matplotlib")  # not imported: the import takes longer than all else
    assert matplotlib is not None
    assert matplotlib.origin is not None
    font = Path(matplotlib.origin).parent / FONT_FILE
    pixels = resvg_py.svg_to_bytes(
        drawing, zoom=ZOOM, skip_system_fonts=True, font_files=[str(font)], font_family=FONT, sans_serif_family=FONT
    )
    text, content = PngInfo(), io.BytesIO()
    text.add_text(DIGEST, digest(drawing))
    Image.open(io.BytesIO(pixels)).convert("RGB").save(content, "png", pnginfo=text)
    return content.getvalue()


def digest(drawing: str) -> str:
    return hashlib.sha256(drawing.encode()).hexdigest()


def is_rendered_from(file: Path, drawing: str) -> bool:
    """Return whether a PNG file was rendered from an SVG, by any version of resvg."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return bool(picture.info.get(DIGEST) == digest(drawing))
    except OSError:  # no picture
        return False
