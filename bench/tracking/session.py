"""One open W&B run, told by a thread of its own, so that a slow or dead W&B neither holds up nor ends what is told."""

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
DIGEST = "record.digest"  # the file beside W&B's offline files that says which record they hold
SECONDS_TO_OPEN = 30.0  # for W&B to answer at all, before the run is kept offline
SECONDS_TO_END = 60.0  # for what is not sent yet at the end of a run, before it is left for `bench wandb push`
SECONDS_TO_STOP = 15.0  # for the same when the run was stopped


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
    folder: where W&B keeps its files, in wandb/ below it. asked: whether sending is what the user asked for, so that
    the session waits until it is done, does not become another one, and leaves it to the caller to say how it went.
    """

    def __init__(self, identity: Identity, mode: Mode, folder: Path, asked: bool = False) -> None:
        self.identity, self.mode, self.folder, self.asked = identity, mode, folder, asked
        self.jobs: SimpleQueue[Callable[[Run], None] | None] = SimpleQueue()
        self.known = 0.0  # images seen at the last point that W&B has; right in the thread only
        self.digest = ""  # of the record, or table, that the run holds all of; likewise
        self.trouble = ""  # the first that there was
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
        """Have the thread call `job` with the run, after all that was told before; returns at once."""
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
        self.thread.join(None if self.asked else patience)
        if self.run is None:
            return
        place = Path(self.run.dir).parent
        if not self.whole:
            # not `wandb sync`, which would append what W&B has already
            self.say(f"not all of {self.identity.id} has reached W&B; `bench wandb push` sends the rest")
        elif self.mode == "offline" and settle(place, self.identity.id, self.digest, self.known):
            self.say(f"kept offline; send it with: wandb sync {place}")

    @property
    def whole(self) -> bool:
        """Whether all that was told has reached W&B, or its files; right after the end."""
        return self.ended and not self.trouble

    def say(self, sentence: str) -> None:
        if not self.asked:
            console.print(f"  W&B: {sentence}", style="dim", markup=False)

    def note(self, error: Exception) -> None:
        """Keep the first trouble, and say it."""
        if not self.trouble:
            self.trouble = first_line(error)
            self.say(f"not all was logged: {self.trouble}")

    def _work(self) -> None:
        """The thread: open the run, do the jobs, end it."""
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

        wandb.setup(wandb.Settings(silent=True))  # else it announces itself between the lines of progress bars
        if self.mode == "online":
            try:
                if wandb.login(prompt=False, verify=False):
                    return self._resumed(self._init("online"))
                self.say("no account (`wandb login` makes one known), so kept offline")
            except Exception as error:
                if self.asked:
                    raise
                self.say(f"no answer ({first_line(error)}), so kept offline")
                wandb.teardown()  # or the run counts as being in use
            self.mode = "offline"
        return self._init("offline")

    def _resumed(self, run: "Run") -> "Run":
        """An open run of which W&B may know something already."""
        if run.resumed:
            self.known, self.digest = float(run.summary.get("images_seen", 0)), str(run.summary.get("record", ""))
        self.say(f"{self.identity.id}: {run.url}")
        return run

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


def settle(place: Path, run_id: str, digest: str, known: float) -> bool:
    """Leave one set of offline files of the run, that which holds most; whether it is this session's, in `place`.

    `wandb sync` of several overwrites each by the next (wandb/wandb issues 3841 and 5865). A session holds all that
    earlier ones held once it was told a record, or a training's points: what was told before is told again.
    """
    # W&B appends -1 where two sessions began within a second
    others = [other for other in place.parent.glob(f"offline-run-*-{run_id}*") if other != place]
    if not digest and (not known or any((other / DIGEST).exists() for other in others)) and others:
        shutil.rmtree(place, ignore_errors=True)
        return False
    with suppress(OSError):  # a full disk: it will be told again
        if digest:
            (place / DIGEST).write_text(digest)
    for other in others:
        shutil.rmtree(other, ignore_errors=True)
    return True


def kept_offline(folder: Path, run_id: str, digest: str) -> bool:
    """Whether the offline files below a run's folder hold all of the record with this digest."""
    return any(file.read_text() == digest for file in folder.glob(f"wandb/offline-run-*-{run_id}*/{DIGEST}"))


def first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
