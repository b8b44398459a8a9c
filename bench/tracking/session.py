"""One open W&B run, fed by a thread of its own, so that a slow or failing W&B neither delays nor ends a training."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from bench.runtime.console import console
from bench.runtime.signals import status

if TYPE_CHECKING:
    from wandb import Run

Mode = Literal["online", "offline", "disabled"]
DIGEST = "record.digest"  # the file in W&B's offline folder with the digest of its record
SECONDS_TO_OPEN = 30.0  # until W&B has to answer; then the run is kept offline
SECONDS_TO_END = 60.0  # to finish uploads at the end of a run; the rest is left to `bench wandb push`
SECONDS_TO_STOP = 15.0  # the same for a stopped run


@dataclass(frozen=True)
class Identity:
    """The id of a W&B run, and the attributes by which people find it."""

    id: str
    name: str
    project: str
    config: dict[str, Any]
    group: str | None = None
    job_type: str = "train"
    tags: tuple[str, ...] = ()


class Session:
    """Runs jobs on a W&B run in a thread, from the start of `with` to its end; mode "disabled" drops them.

    Without an account, or where W&B does not answer, "online" becomes "offline". Only the first later error is printed.
    folder: W&B writes its files to wandb/ in it. interactive: block until the upload ends, never fall back to offline,
    and print nothing.
    """

    def __init__(self, identity: Identity, mode: Mode, folder: Path, interactive: bool = False) -> None:
        self.identity, self.mode, self.folder, self.interactive = identity, mode, folder, interactive
        self.jobs: SimpleQueue[Callable[[Run], None] | None] = SimpleQueue()
        self.images_sent = 0.0  # images seen at the last point that W&B has; valid in the thread only
        self.digest = ""  # of the record, or table, that was uploaded completely; valid in the thread only
        self.trouble = ""  # the first error
        self.code = 0
        self.ended = False
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
        """Queue `job`, which the thread calls with the run after all earlier jobs; returns at once."""
        if self.on:
            self.jobs.put(job)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.on:
            return
        self.code = status(error) if kind else 0  # W&B shows the run as failed
        self.jobs.put(None)
        patience = SECONDS_TO_STOP if kind else SECONDS_TO_OPEN + SECONDS_TO_END
        self.thread.join(None if self.interactive else patience)
        if self.run is None:
            return
        place = Path(self.run.dir).parent
        if not self.whole:
            # not `wandb sync`, which would append what W&B has already
            self.say(f"the upload of {self.identity.id} is incomplete; `bench wandb push` sends the rest")
        elif self.mode == "offline" and settle(place, self.identity.id, self.digest, self.images_sent):
            self.say(f"kept offline; send it with: wandb sync {place}")

    @property
    def whole(self) -> bool:
        """Whether all jobs have reached W&B, or its files; valid after the end."""
        return self.ended and not self.trouble

    def say(self, sentence: str) -> None:
        if not self.interactive:
            console.print(f"  W&B: {sentence}", style="dim", markup=False)

    def note(self, error: Exception) -> None:
        """Keep the first error, and print it."""
        if not self.trouble:
            self.trouble = first_line(error)
            self.say(f"logging failed in part: {self.trouble}")

    def _work(self) -> None:
        """Open the run, do the jobs, end it; the target of the thread."""
        try:
            self.run = run = self._open()
        except Exception as error:
            self.note(error)
            return
        while job := self.jobs.get():
            self._try(lambda: job(run))
        self._try(lambda: run.finish(exit_code=self.code))
        self.ended = True

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.note(error)

    def _open(self) -> "Run":
        import wandb

        wandb.setup(wandb.Settings(silent=True))  # otherwise it prints between the lines of progress bars
        if self.mode == "online":
            try:
                if wandb.login(prompt=False, verify=False):
                    return self._resumed(self._init("online"))
                self.say("no account (`wandb login` sets one); kept offline")
            except Exception as error:
                if self.interactive:
                    raise
                self.say(f"no answer ({first_line(error)}); kept offline")
                wandb.teardown()  # otherwise the run counts as being in use
            self.mode = "offline"
        return self._init("offline")

    def _resumed(self, run: "Run") -> "Run":
        """Read from an open run how much of it W&B has already."""
        if run.resumed:
            self.images_sent, self.digest = float(run.summary.get("images_seen", 0)), str(run.summary.get("record", ""))
        self.say(f"{self.identity.id}: {run.url}")
        return run

    def _init(self, mode: Mode) -> "Run":
        import wandb

        identity = self.identity
        self.folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=identity.project, id=identity.id, name=identity.name, config=identity.config,
            group=identity.group, job_type=identity.job_type, tags=identity.tags, dir=self.folder, mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # the last run's thread may still be sending
            settings=wandb.Settings(
                silent=True, init_timeout=SECONDS_TO_OPEN, finish_timeout=SECONDS_TO_END, finish_timeout_raises=True
            ),
        )  # fmt: skip
        run.define_metric("images_seen", hidden=True)
        run.define_metric("*", step_metric="images_seen")
        return run


def settle(place: Path, run_id: str, digest: str, images_sent: float) -> bool:
    """Keep one set of the run's offline files, the most complete; return whether it is this session's, in `place`.

    `wandb sync` of several sets overwrites each by the next (wandb/wandb issues 3841 and 5865). A session's files
    contain those of earlier sessions once it has logged a record, or a training's points: earlier points are logged
    again.
    """
    # W&B appends -1 where two sessions began within a second
    others = [other for other in place.parent.glob(f"offline-run-*-{run_id}*") if other != place]
    if not digest and (not images_sent or any((other / DIGEST).exists() for other in others)) and others:
        shutil.rmtree(place, ignore_errors=True)
        return False
    with suppress(OSError):  # a full disk: the record will be logged again
        if digest:
            (place / DIGEST).write_text(digest)
    for other in others:
        shutil.rmtree(other, ignore_errors=True)
    return True


def kept_offline(folder: Path, run_id: str, digest: str) -> bool:
    """Return whether the offline files below a run's folder contain the whole record with this digest."""
    return any(file.read_text() == digest for file in folder.glob(f"wandb/offline-run-*-{run_id}*/{DIGEST}"))


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
