"""How fast is the data pipeline alone? `BatchStream` on MNIST against torchvision's `DataLoader` with `ToTensor`.

    python -m bench.speed pipeline

Every pipeline delivers shuffled images in batches of 64; the passes are interleaved, so that whatever else the
machine does falls on all of them alike, and the median pass counts. `BatchStream` has one thread, as `DataLoader` gives
each of its workers. The target is a ratio of 50 to the fastest `DataLoader`.
"""

import gzip
import statistics
import tempfile
import time
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from datamodules import DATAMODULES

BATCH_SIZE = 64
REPEATS = 5
IMAGES = 64 * 150  # a pass of a DataLoader
OUR_IMAGES = 64 * 15_000  # a pass of ours, for about the same time


def data_loader(root: Path, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """Passes over IMAGES images through PIL, as torchvision's documentation shows it; its workers stay alive."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for packed in (resources.files("datamodules") / "assets").iterdir():
        if packed.name.endswith(".gz"):
            (raw / packed.name.removesuffix(".gz")).write_bytes(gzip.decompress(packed.read_bytes()))
    images = Subset(MNIST(root, transform=ToTensor()), range(IMAGES))
    return DataLoader(images, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def images_per_second(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """One pass, timed from the first batch on, so that neither the start of workers nor a first allocation counts."""
    iterator = iter(batches)
    next(iterator)
    start = time.perf_counter()
    images = sum(len(batch) for batch, _ in iterator)
    return images / (time.perf_counter() - start)


def measure(root: Path) -> dict[str, float]:
    """Images a second of each pipeline, the median over REPEATS interleaved passes."""
    ours = DATAMODULES["mnist"](batch_size=BATCH_SIZE, images=OUR_IMAGES)
    ours.setup()
    loaders = {f"DataLoader, {workers} workers": data_loader(root, workers) for workers in (0, 2)}
    speeds: dict[str, list[float]] = {name: [] for name in ("BatchStream", *loaders)}
    for _ in range(REPEATS):
        speeds["BatchStream"].append(images_per_second(ours.train_dataloader()))
        for name, loader in loaders.items():
            speeds[name].append(images_per_second(loader))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    """Measure and print a table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        speeds = measure(Path(root))
    torch.set_num_threads(threads)
    table = Table("pipeline", title=f"MNIST, batches of {BATCH_SIZE}, median of {REPEATS} passes")
    table.add_column("images/s", justify="right")
    table.add_column("BatchStream is faster by", justify="right")
    for name, speed in speeds.items():
        table.add_row(name, f"{speed:,.0f}", f"{speeds['BatchStream'] / speed:.1f} x")
    Console().print(table)
