"""What the machinery costs beside its limits and beside other libraries: `bench speed`, one file a question.

A question's `measure(tick)` returns its answers; `tick` is told what further share of the work is done.
"""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # the other libraries' progress bars, beside ours; read when tqdm is loaded
