"""Choose the number of torch's threads on the CPU.

Threads meet at a barrier after each operation. Where another process holds one of their cores, all wait there for as
long as the system lets that process run: on two cores beside two busy processes, two threads train a small network at
a tenth of one thread's rate.
"""

import os
import time

from bench.runtime.load import Reading, cores_of_others, own_cores

LEAST = 0.5  # seconds over which the load is measured


def fit_threads(since: Reading | None) -> None:
    """Leave out the cores that other processes have kept busy since then, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" in os.environ or since is None:
        return
    import torch

    from bench.runtime.console import console

    time.sleep(max(0.0, since.wall + LEAST - time.monotonic()))
    others, cores, threads = cores_of_others(since), len(own_cores()), torch.get_num_threads()
    fitting = max(1, round(cores - (others or 0.0)))
    if fitting < threads:
        torch.set_num_threads(fitting)
        console.print(
            f"  [yellow]other programs keep {others:.1f} of {cores} cores busy, so this one computes on {fitting} and "
            f"its timings do not compare with those on {threads}; OMP_NUM_THREADS={threads} takes all the same[/]"
        )


def set_threads(threads: int) -> None:
    """Set the number of threads, as far as there are cores, unless OMP_NUM_THREADS is set."""
    if "OMP_NUM_THREADS" not in os.environ:
        import torch

        torch.set_num_threads(min(threads, len(own_cores())))
