"""Print the table of recorded runs and write it as TABLE.* files.

TABLE.md, .csv, .beside.csv, .json, .tex and .png are written to the results
folder. A table holds one data set and one protocol; where the records hold
several, the keys choose among them. Presets may stand in one table. Records of
other folders join it by --with; its files are then written to --out only.
"""

import argparse

EXAMPLES = """
bench table preset=smoke
bench table results=DIR data=mnist
bench table results=results/published --check
bench table --against results/published
bench table --with results/published --with ../theirs/results --out results/joined
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="results=DIR, preset=, data=, protocol=, evaluation.samples=, evaluation.seed=, evaluation.chunk=",
    )
    parser.add_argument(
        "--with", metavar="DIR", dest="others", action="append", default=[], help="add the records of another folder"
    )
    parser.add_argument("--out", metavar="DIR", help="a folder for the files of a table --with other folders")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    mode.add_argument(
        "--against", metavar="DIR", help="write nothing; list the figures that differ from those of another folder"
    )


def run(options: argparse.Namespace) -> int:
    from pathlib import Path

    from rich.console import Console

    from bench.config.paths import check_results, expand
    from bench.config.schema import ConfigError
    from bench.results.records import read_all
    from bench.results.selection import read_several, select, table_selection
    from bench.runtime.console import console
    from bench.table import render, reproduction, terminal
    from bench.table.build import build
    from bench.table.output import write_and_show

    if options.others and (options.check or options.against):
        raise ConfigError("--with: --check and --against compare the table of one folder; leave them out")
    if options.out and not options.others:
        raise ConfigError(f"--out={options.out}: the table of one folder is written there; --out is for --with")
    folder, selection = table_selection(options.overrides)
    others = [Path(expand("--with", name)) for name in options.others]
    table = build(select(read_several([folder, *others]), selection), folder)
    if options.against:
        other = Path(expand("--against", options.against))
        comparison = reproduction.compare_tables(table, build(select(read_all(other), selection), other))
        reproduction.show(comparison, options.against, Console(highlight=False))
        return 0
    if options.check:
        wrong = render.file_problems(table, folder)
        console.print("\n".join(wrong) or f"{folder}: the files of the table are up to date", markup=False)
        return 1 if wrong else 0
    if others and not options.out:
        terminal.show(table, Console(highlight=False))
        console.print("nothing is written of a table --with other folders; --out=DIR writes its files")
        return 0
    place = check_results(Path(expand("--out", options.out)), writes=True) if others else folder
    write_and_show(table, place)
    return 0
