"""Draw samples of a trained run into a folder or a file.

The suffix of --out chooses the format: none for a folder of PNG files, .npz,
.npy, .tar, .tar.gz and .tgz (also shards of a webdataset), .hf for a folder of
Hugging Face's `datasets`. `bench evaluate --images` reads all of them. The
first 64 samples are also drawn as one picture beside it.
"""

import argparse

EXAMPLES = """
bench sample RUN --n 64
bench sample RUN --n 2000 --out samples.npz
bench sample RUN --label 7 --n 64
bench sample RUN --caption "a bold red seven, a green three and a slanted blue zero"
bench sample RUN --out drawn "samplers=[ddim-20]" evaluation.seed=1
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run_id that `bench train` printed")
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value",
        help="samplers=[NAME], evaluation.seed, evaluation.chunk, data.root, results=DIR",
    )  # fmt: skip
    parser.add_argument("--n", metavar="N", type=int, default=64, help="number of samples (default: 64)")
    parser.add_argument("--label", metavar="K", type=int, help="the label of all samples (default: as in the data)")
    parser.add_argument("--caption", metavar="TEXT", help="the caption of all samples, of a model with captions")
    parser.add_argument("--out", metavar="PATH", help="a new file or folder (default: samples/RUN below results)")


def run(options: argparse.Namespace) -> None:
    from pathlib import Path

    from bench.config.paths import expand
    from bench.runs.sample import Given, sample_run

    out = Path(expand("--out", options.out)) if options.out is not None else None
    sample_run(options.run, options.n, out, Given(options.label, options.caption), options.overrides)
