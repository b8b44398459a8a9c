"""What each command of the command line does: a few calls of the modules beside it, which are imported when it runs."""

import argparse
from pathlib import Path

from bench.config.paths import check_results, expand
from bench.config.schema import ConfigError
from bench.runtime.console import console

PORT = 8000  # of the page that `bench report --serve` shows


def train(options: argparse.Namespace) -> None:
    from bench.config.load import load
    from bench.runs.run import run_config
    from bench.tracking.identity import by_agent

    configs = load(options.overrides)
    if len(configs) > 1 and by_agent():
        raise ConfigError("model: missing; `wandb agent` makes one run at a time, so name one, or sweep over them")
    for number, config in enumerate(configs, 1):
        if len(configs) > 1:
            console.rule(f"{config.model['name']}, run {number} of {len(configs)}, preset {config.preset}")
        run_config(config)


def evaluate(options: argparse.Namespace) -> None:
    from bench.config.load import results_folder
    from bench.runs.external import evaluate_folder
    from bench.runs.reproduce import reevaluate, repeat

    words = [word for word in (options.run, *options.overrides) if word]
    protocol = options.protocol and expand("--protocol", options.protocol)
    if not options.images and (options.data or options.name):
        raise ConfigError("evaluate: --data and --name belong to --images=DIR; a RUN has its own")
    if options.images:
        folder = Path(expand("--images", options.images))
        check_results(results_folder([word for word in words if "=" in word]), writes=True)
        evaluate_folder(folder, options.data or "mnist", options.name, words, protocol)
    elif not options.run or "=" in options.run:
        raise ConfigError("evaluate: name a RUN, as `bench train` prints it, or another program's --images=DIR")
    elif protocol:
        repeat(options.run, protocol, options.overrides)
    else:
        reevaluate(options.run, options.overrides)


def selftest(options: argparse.Namespace) -> None:
    from bench.config.load import results_of
    from bench.selftest.report import run
    from bench.selftest.study import run_study

    results = results_of("selftest", options.overrides)
    if options.overrides and not options.study:
        raise ConfigError(f"{options.overrides[0]}: `bench selftest` writes nothing but a study; add --study NAME")
    if options.study:
        check_results(results, writes=True)
        run_study(options.study, results)
    else:
        run()


def table(options: argparse.Namespace) -> int:
    from rich.console import Console

    from bench.results.records import read_all
    from bench.results.selection import select, table_selection
    from bench.table import render, terminal
    from bench.table import reproduction as against
    from bench.table.build import build

    folder, wanted = table_selection(options.overrides)
    made = build(select(read_all(folder), wanted), folder)
    if options.against:
        other = Path(expand("--against", options.against))
        found = against.repetition(made, build(select(read_all(other), wanted), other))
        against.show(found, options.against, Console(highlight=False))
        return 0
    if options.check:
        wrong = render.differing(made, folder)
        console.print("\n".join(wrong) or f"{folder}: the table is what the records give", markup=False)
        return 1 if wrong else 0
    written = render.write(made, folder)  # before anything is printed: a screen may refuse what a file holds
    terminal.show(made, Console(highlight=False))
    console.print(f"written: {', '.join(map(str, written))}", markup=False)
    return 0


def show(options: argparse.Namespace) -> None:
    from bench.cli.show import show as show_run

    show_run(options.run, options.overrides)


def compare(options: argparse.Namespace) -> None:
    from bench.table.compare import compare as compare_runs

    compare_runs(options.run, options.other, options.overrides)


def report(options: argparse.Namespace) -> int:
    from bench.report import write as page

    if options.port is not None and not options.serve:
        raise ConfigError(f"--port={options.port}: belongs to --serve; take it out")
    if options.serve:
        return page.look(options.overrides, PORT if options.port is None else options.port)
    if options.check:
        return page.check(options.overrides)
    page.write(options.overrides)
    return 0


def wandb(options: argparse.Namespace) -> int:
    if options.what == "push":
        from bench.tracking.push import push

        return push(options.overrides)
    from bench.tracking.report import publish

    return publish(options.overrides)


def sweep(options: argparse.Namespace) -> int:
    from bench.sweep.sweep import Machines
    from bench.sweep.sweep import sweep as run_sweep

    machines = Machines(options.executor, options.jobs, options.address, options.gpus)
    return run_sweep(expand("FILE", options.file), options.overrides, machines)


def extractor(options: argparse.Namespace) -> None:
    from bench.runs.extractor import train_extractor

    if wrong := [word for word in options.overrides if not word.startswith(("data=", "data.", "seed="))]:
        raise ConfigError(f"{wrong[0]}: `bench extractor` takes data=NAME, data.* and seed only")
    train_extractor(options.overrides)


def speed(options: argparse.Namespace) -> None:
    from bench.speed.command import speed as answer

    answer(options.overrides)


def listing(options: argparse.Namespace) -> None:
    from bench.cli.listing import show

    show(options.what)
