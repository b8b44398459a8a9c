"""Write a table's files and print it: what every command that ends with a table does."""

from pathlib import Path

from rich.console import Console

from bench.runtime.console import console
from bench.table import render, terminal
from bench.table.build import Table


def write_and_show(table: Table, folder: Path) -> None:
    """Write the files to `folder`, then print the table and their names: a terminal that is closed loses no file."""
    written = render.write(table, folder)
    terminal.show(table, Console(highlight=False))
    console.print(f"written: {', '.join(map(str, written))}", markup=False)
