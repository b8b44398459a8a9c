"""`bench selftest`: measure every case and print it beside its expected value."""

import textwrap
import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.evaluation.errors import EvaluationError
from bench.runtime.console import Bar
from bench.selftest.cases import CASES
from bench.selftest.inputs import TRAINING, Inputs
from bench.selftest.kinds import Case

LONGEST = 60  # characters of a measured text that are printed


def run() -> None:
    """Measure CASES and print them; raises EvaluationError if any is not as expected."""
    start = time.perf_counter()
    with Bar("mnist-cnn features, reference", TRAINING, "images") as bar:
        inputs = Inputs(lambda _, done, total: bar.advance(done - bar.done))
    with Bar("self-test", len(CASES), "cases") as bar:
        table, failed = measure_cases(CASES, inputs, bar)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(CASES) - len(failed)} of {len(CASES)} as expected, in {time.perf_counter() - start:.0f} s")
    if failed:
        raise EvaluationError(f"{len(failed)} of {len(CASES)} cases of the self-test failed: {'; '.join(failed)}.")


def measure_cases(cases: Sequence[Case], inputs: Inputs, bar: Bar) -> tuple[Table, list[str]]:
    """Return a table with a line for each case, grouped by its input, and the names of the failed cases."""
    table = Table("figure", "expected", "measured", "ok", title="self-test", title_justify="left", box=box.SIMPLE_HEAD)
    failed: list[str] = []
    about = ""
    for case in cases:
        values = case.measure(inputs)
        right = case.check(*values)
        if case.about != about:
            table.add_row(f"[bold]{escape(about := case.about)}[/]")
        text = textwrap.shorten(case.show.format(*values), LONGEST, placeholder=" …")
        texts = (f"  {case.figure}", case.expected, text, "yes" if right else "NO")
        table.add_row(*map(escape, texts), style=None if right else "red")
        if not right:
            failed.append(str(case))
        bar.advance(note=case.about.__str__)
    return table, failed
