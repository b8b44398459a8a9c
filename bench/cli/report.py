"""Write everything recorded as one HTML page, or serve it live.

The page holds the tables, charts, learning curves, pictures and protocols of
all records in the results folder. It is written there as report.html.
"""

import argparse

PORT = 8000
EXAMPLES = """
bench report results=results
bench report --serve
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="the folder of the records")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--serve", action="store_true", help="write nothing; show the page in a browser, updated live")
    mode.add_argument("--check", action="store_true", help="write nothing; exit with 1 if report.html is out of date")
    parser.add_argument("--port", type=int, metavar="N", help=f"port of --serve (default: {PORT}; 0: any free one)")


def run(options: argparse.Namespace) -> int:
    from bench.config.schema import ConfigError
    from bench.report import write as page

    if options.port is not None and not options.serve:
        raise ConfigError(f"--port={options.port}: belongs to --serve; leave it out")
    if options.serve:
        return page.look(options.overrides, PORT if options.port is None else options.port)
    if options.check:
        return page.check(options.overrides)
    page.write(options.overrides)
    return 0
