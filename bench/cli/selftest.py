"""Check the evaluator on this machine with cases of known answers.

Every case is printed with its expected and its measured value; the exit status
is 2 if any differs. With --study, repeat a simulation behind a claim of docs/.
"""

import argparse

EXAMPLES = """
bench selftest
bench selftest --study intervals results=DIR
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", metavar="NAME", help="repeat this simulation instead, and write its figures")
    parser.add_argument("overrides", nargs="*", default=[], metavar="results=DIR", help="the folder of a study's files")


def run(options: argparse.Namespace) -> None:
    from bench.config.load import results_of
    from bench.config.paths import check_results
    from bench.config.schema import ConfigError
    from bench.selftest.report import run as run_cases
    from bench.selftest.study import run_study

    results = results_of("selftest", options.overrides)
    if options.overrides and not options.study:
        raise ConfigError(f"{options.overrides[0]}: `bench selftest` writes nothing but a study; add --study NAME")
    if options.study:
        check_results(results, writes=True)
        run_study(options.study, results)
    else:
        run_cases()
