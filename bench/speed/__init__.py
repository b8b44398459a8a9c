"""`bench speed`: compare the suite's speed with its limits and with other libraries, one file a question.

A question's `measure(tick)` returns its answers and calls `tick` with each further share of the work.
"""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # the other libraries' progress bars, beside ours; read when tqdm is loaded
