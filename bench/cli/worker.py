"""`python -m bench.cli.worker train ...`: the process of one cell of a sweep, which ends with the sweep."""

import sys
import threading

from bench.cli.main import main
from bench.sweep.worker import end_with_sweep

if __name__ == "__main__":
    threading.Thread(target=end_with_sweep, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
