"""Put on the path of the processes of test_faults.py: they checkpoint often, and one of them dies where the plan says.

FAULTS names a file with the plan, `WORD COUNT`: the COUNT-th file that is about to be renamed and has WORD in its name
takes the process with it, by SIGKILL, when all of it is written and its name is still another. Counted over all
processes; once the plan is carried out its file is gone.
"""

import fcntl
import os
import signal
import sys

if "FAULTS" in os.environ and not any("resource_tracker" in word for word in sys.orig_argv):
    import bench.training.fit

    bench.training.fit.SECONDS_BETWEEN_CHECKPOINTS = 0.2  # type: ignore[assignment]
    replace = os.replace

    def due(target: str) -> bool:
        try:
            with open(os.environ["FAULTS"], "r+") as plan:
                fcntl.flock(plan, fcntl.LOCK_EX)
                word, count = plan.read().split()
                left = int(count) - (word in os.path.basename(target))
                plan.seek(0)
                plan.truncate()
                plan.write(f"{word} {left}")
                if left > 0:
                    return False
                os.unlink(plan.name)
                return True
        except (FileNotFoundError, ValueError):
            return False

    def faulty(source: str, target: str, **more: int) -> None:
        if due(os.fspath(target)):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target, **more)

    os.replace = faulty  # type: ignore[assignment]
