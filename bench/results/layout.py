"""The places of all files of a run below a results folder."""

from dataclasses import dataclass
from pathlib import Path

STATUS = "live.json"


@dataclass(frozen=True)
class ResultsFolder:
    """A results folder: records/, failures/, runs/, pictures/, samples/, sweeps/ and studies/ below `root`."""

    root: Path

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def failures(self) -> Path:
        return self.root / "failures"

    @property
    def studies(self) -> Path:
        return self.root / "studies"

    @property
    def sweep_logs(self) -> Path:
        return self.root / "sweeps" / "logs"

    def record(self, run_id: str) -> Path:
        return self.records / f"{run_id}.json"

    def failure(self, run_id: str) -> Path:
        """The file with the cause of a diverged training, which exists until there is a record."""
        return self.failures / f"{run_id}.json"

    def run(self, run_id: str) -> Path:
        """The folder of a run's weights, checkpoints, status and W&B files."""
        return self.root / "runs" / run_id

    def weights(self, run_id: str) -> Path:
        """The final weights."""
        return weights_of(self.run(run_id))

    @property
    def statuses(self) -> str:
        """The pattern below `root` of the status files of all runs."""
        return f"runs/*/{STATUS}"

    def pictures(self, run_id: str) -> Path:
        """The folder of the pictures of a run and of its samples."""
        return self.root / "pictures" / run_id

    @property
    def samples(self) -> Path:
        """The folder of the samples that `bench sample` draws without --out."""
        return self.root / "samples"

    def sweep(self, name: str) -> Path:
        """The file with the proposals of a search so far."""
        return self.root / "sweeps" / f"{name}.json"


def weights_of(run: Path) -> Path:
    """Return the path of the final weights in a run's folder."""
    return run / "final.ckpt"


def checkpoints_of(run: Path) -> Path:
    """Return the folder of the checkpoints from which a stopped training resumes, in a run's folder."""
    return run / "checkpoints"


def row_files(folder: Path, sampler: str) -> tuple[Path, Path]:
    """The pictures of a row: its samples, and the pairs nearest to training images."""
    return row_file(folder, "samples", sampler), row_file(folder, "nearest", sampler)


def row_file(folder: Path, kind: str, sampler: str) -> Path:
    """Where the picture of a kind, "samples" or "nearest", lies of the row with this sampler."""
    return folder / (f"{kind}.png" if sampler == "default" else f"{kind}-{sampler}.png")
