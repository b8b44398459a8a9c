"""One open W&B run, told by a thread of its own, so that a slow or dead W&B neither holds up nor ends what is told."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from bench.progress import console

if TYPE_CHECKING:
    from wandb import Run

Mode = Literal["online", "offline", "disabled"]
DIGEST = "record.digest"  # the file beside W&B's offline files that says which record they hold
SECONDS_TO_OPEN = 30.0  # for W&B to answer at all, before the run is kept offline
SECONDS_TO_END = 60.0  # for what is not sent yet at the end of a run, before it is left for `bench wandb push`


@dataclass(frozen=True)
class Identity:
    """What a W&B run is found by, and by what people find it."""

    id: str
    name: str
    project: str
    config: dict[str, Any]
    group: str | None = None
    job_type: str = "train"
    tags: tuple[str, ...] = ()


class Session:
    """Hands everything told from `with` to its end to the W&B run; in mode "disabled" all is dropped at once.

    Without an account, or where W&B does not answer, "online" becomes "offline". What goes wrong later is said once.
    folder: where W&B keeps its files, in wandb/ below it. quiet: leaves it to the caller to say what became of it.
    """

    def __init__(self, identity: Identity, mode: Mode, folder: Path, quiet: bool = False) -> None:
        self.identity, self.mode, self.folder, self.quiet = identity, mode, folder, quiet
        self.jobs: SimpleQueue[Callable[[Run], None] | None] = SimpleQueue()
        self.known = 0.0  # images seen at the last point that W&B has; right in the thread only
        self.digest = ""  # of the record, or table, that the run holds all of; likewise
        self.failed = 0
        self.troubled = self.ended = False
        self.run: Run | None = None

    @property
    def on(self) -> bool:
        return self.mode != "disabled"

    def __enter__(self) -> "Session":
        if self.on:
            self.thread = threading.Thread(target=self._work, name="wandb", daemon=True)
            self.thread.start()
        return self

    def tell(self, job: Callable[["Run"], None]) -> None:
        """Have the thread call `job` with the run, after all that was told before; returns at once."""
        if self.on:
            self.jobs.put(job)

    def fail(self) -> None:
        """Let W&B show the run as failed."""
        self.failed = 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.on:
            return
        self.failed = self.failed or int(kind is not None)
        self.jobs.put(None)
        self.thread.join(SECONDS_TO_OPEN + SECONDS_TO_END)
        if self.run is None:
            return
        place = Path(self.run.dir).parent
        if not self.whole:
            # not `wandb sync`, which would append what W&B has already
            self.say(f"not all of {self.identity.id} has reached W&B; `bench wandb push` sends the rest")
        elif self.mode == "offline":
            (place / DIGEST).write_text(self.digest)
            remove_others(place, self.identity.id)
            self.say(f"kept offline; send it with: wandb sync {place}")

    @property
    def whole(self) -> bool:
        """Whether all that was told has reached W&B, or its files; right after the end."""
        return self.ended and not self.troubled

    def say(self, sentence: str) -> None:
        if not self.quiet:
            console.print(f"  W&B: {sentence}", style="dim", markup=False)

    def _work(self) -> None:
        """The thread: open the run, do the jobs, end it."""
        try:
            self.run = run = self._open()
        except Exception as error:
            self.say(f"nothing is logged: {first_line(error)}")
            return
        while job := self.jobs.get():
            self._try(lambda: job(run))
        self._try(lambda: run.finish(exit_code=self.failed))
        self.ended = True

    def _try(self, work: Callable[[], None]) -> None:
        """Call it; of the first error that any of them raises a line is said."""
        try:
            work()
        except Exception as error:
            if not self.troubled:
                self.say(f"not all was logged: {first_line(error)}")
            self.troubled = True

    def _open(self) -> "Run":
        import wandb

        wandb.setup(wandb.Settings(silent=True))  # else it announces itself between the lines of progress bars
        if self.mode == "online":
            try:
                if wandb.login(prompt=False, verify=False):
                    run = self._init("online")
                    self.known = float(run.summary.get("images_seen", 0)) if run.resumed else 0.0
                    self.digest = str(run.summary.get("record", "")) if run.resumed else ""
                    self.say(f"{self.identity.id}: {run.url}")
                    return run
                self.say("no account (`wandb login` makes one known), so kept offline")
            except Exception as error:
                self.say(f"no answer ({first_line(error)}), so kept offline")
                wandb.teardown()  # or the run counts as being in use
            self.mode = "offline"
        return self._init("offline")

    def _init(self, mode: Mode) -> "Run":
        import wandb

        one = self.identity
        self.folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=one.project, id=one.id, name=one.name, config=one.config, group=one.group, job_type=one.job_type,
            tags=one.tags, dir=self.folder, mode=mode, resume="allow" if mode == "online" else None,
            reinit="create_new",  # the last run's thread may still be sending
            settings=wandb.Settings(
                silent=True, init_timeout=SECONDS_TO_OPEN, finish_timeout=SECONDS_TO_END, finish_timeout_raises=True
            ),
        )  # fmt: skip
        run.define_metric("images_seen", hidden=True)
        run.define_metric("*", step_metric="images_seen")
        return run


def remove_others(place: Path, run_id: str) -> None:
    """Drop what earlier sessions kept offline of the run: the one in `place` holds it all, and W&B would show the last.

    `wandb sync` of several files of one run overwrites each by the next (wandb/wandb issues 3841 and 5865).
    """
    for other in place.parent.glob(f"offline-run-*-{run_id}"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def kept_offline(folder: Path, run_id: str, digest: str) -> bool:
    """Whether the offline files below a run's folder hold all of the record with this digest."""
    return any(file.read_text() == digest for file in folder.glob(f"wandb/offline-run-*-{run_id}/{DIGEST}"))


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
