"""Fill the generated blocks of the documents from the published results: `make docs`.

Cog runs the call in each `[[[cog ... ]]]` comment and writes its output below. `python docs/generate.py --check --diff`
writes nothing and fails where a block is not what the published files give.
"""

import re
import sys
from pathlib import Path

from cogapp import Cog

from bench.table.contributed import contributed_grid, published_records
from bench.table.literature import LINK, SOURCE, VERIFICATION, literature_grid
from bench.table.render import markdown_grid

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^(?=\*\*|Marks by rule:)", re.MULTILINE)  # a block of TABLE.md begins at its heading


def show(file: str, *headings: str) -> None:
    """Write blocks of a published Markdown file, by how their headings begin; "" names the block before the first."""
    first, *others = BLOCK.split((PUBLISHED / file).read_text())
    for heading in headings:
        matches = [block for block in others if block.lstrip("*").startswith(heading)] if heading else [first]
        if len(matches) != 1:
            raise ValueError(f"{file}: {len(matches)} blocks begin with {heading!r}, not one")
        print("\n" + re.sub(r" {2,}", " ", matches[0]).strip())
    print()


def literature() -> None:
    """Write the figures published by others, and their source."""
    head, *rows = literature_grid()
    align = [":--", ":--", *["--:"] * (len(head) - 3), ":--"]
    lines = [f"| {' | '.join(line)} |" for line in (head, align, *rows)]
    print("\n" + "\n".join(lines))
    print(f"\nFID and recall as in [{SOURCE}]({LINK}); seconds on one V100. {VERIFICATION}.\n")


def contributed() -> None:
    """Write a table of the records that others have contributed."""
    folder = ROOT / "results" / "contributed"
    head, *rows = contributed_grid(folder, published_records(PUBLISHED))
    if not rows:
        print("\nThere are none yet.\n")
        return
    linked = [[f"[{name}](../results/contributed/records/{name}.json)", *rest] for name, *rest in rows]
    print("\n" + markdown_grid([head, *linked], ":--") + "\n")


if __name__ == "__main__":
    options = ["-I", str(ROOT / "docs"), "-P", "-p", "from generate import contributed, literature, show"]
    sys.exit(Cog().main(["cog", *options, *(sys.argv[1:] or ["-r"]), *map(str, DOCUMENTS)]))
