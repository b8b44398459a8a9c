"""The other libraries, each with the recipe that it recommends: optional, `pip install -e ".[speed]"` brings them."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # their own progress bars, beside ours
