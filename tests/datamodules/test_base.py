"""The contract that datasets share, and its use by a real Trainer: interrupted, resumed, and on two ranks."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from datamodules import DATAMODULES
from datamodules.base import RUNNER_ARGUMENTS, DataError, ImageDataModule, Split, held_out_share, split_indices

BATCHES = 17  # of 6 images: 4.4 epochs of 23


class Recorder(L.LightningModule):
    """Remembers the labels of the batches it is trained on; automatic or, as a GAN, manual optimisation."""

    def __init__(self, manual: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[list[int]] = []

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        images, labels = batch
        assert batch_idx == self.trainer.fit_loop.epoch_loop.batch_idx
        self.seen.append(labels.tolist())
        loss = (images.mean() - self.weight).square().mean()
        if not self.automatic_optimization:
            optimizers: Any = self.optimizers()
            optimizers[0].zero_grad()
            self.manual_backward(loss)
            for optimizer in optimizers:
                optimizer.step()
        return loss

    def configure_optimizers(self) -> Any:
        optimizers = [torch.optim.SGD([self.weight], lr=0.1) for _ in range(1 if self.automatic_optimization else 2)]
        return optimizers[0] if self.automatic_optimization else optimizers


class Crash(Callback):
    """Stops the training when batch `at` begins."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.at:
            raise RuntimeError("crash")


def fit(
    data: ImageDataModule, model: Recorder, *callbacks: Callback, ckpt_path: Path | None = None, **parallel: Any
) -> L.Trainer:
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        **parallel,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=bool(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return trainer


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("manual", [False, True], ids=["automatic", "manual"])
@pytest.mark.parametrize(("crash_at", "saved_at"), [(8, 8), (9, 8), (16, 16)])
def test_an_interrupted_and_resumed_fit_sees_the_same_batches(
    numbered: type[ImageDataModule], tmp_path: Path, manual: bool, crash_at: int, saved_at: int
) -> None:
    def data() -> ImageDataModule:
        return numbered(batch_size=6, images=6 * BATCHES - 1, seed=5)

    whole = Recorder(manual)
    fit(data(), whole)
    assert len(whole.seen) == BATCHES

    steps_a_batch = 2 if manual else 1  # what Lightning's every_n_train_steps counts
    saving = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=4 * steps_a_batch, save_top_k=-1)
    interrupted = Recorder(manual)
    with pytest.raises(RuntimeError, match="crash"):
        fit(data(), interrupted, saving, Crash(crash_at))
    assert interrupted.seen == whole.seen[:crash_at]

    resumed = Recorder(manual)
    trainer = fit(data(), resumed, ckpt_path=tmp_path / f"step={saved_at * steps_a_batch}.ckpt")
    assert resumed.seen == whole.seen[saved_at:]
    assert trainer.fit_loop.epoch_loop.batch_progress.total.completed == BATCHES
    assert torch.equal(resumed.weight, whole.weight)


@pytest.mark.filterwarnings("ignore")
def test_a_finished_fit_resumed_sees_nothing(numbered: type[ImageDataModule], tmp_path: Path) -> None:
    data = numbered(batch_size=6, images=30)
    fit(data, Recorder(), ModelCheckpoint(tmp_path, filename="end", save_last=False))
    resumed = Recorder()
    fit(data, resumed, ckpt_path=tmp_path / "end.ckpt")
    assert resumed.seen == []


def attach(data: ImageDataModule, rank: int, world_size: int) -> ImageDataModule:
    data.setup()
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, strategy=strategy)  # type: ignore[assignment]
    return data


def test_two_ranks_of_a_trainer_see_what_one_process_sees(numbered: type[ImageDataModule]) -> None:
    single = numbered(batch_size=6, images=100)
    single.setup()
    ranks = [attach(numbered(batch_size=6, images=100), rank, 2).train_dataloader() for rank in range(2)]
    assert len(ranks[0]) == len(single.train_dataloader()) == 17
    for (images, labels), left, right in zip(single.train_dataloader(), *ranks, strict=True):
        assert torch.equal(torch.cat([left[0], right[0]]), images)
        assert torch.equal(torch.cat([left[1], right[1]]), labels)


class RankRecorder(Recorder):
    """Writes what its rank has seen, and the loader that Lightning made of the stream, into a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_train_end(self) -> None:
        loader = type(self.trainer.train_dataloader).__name__
        torch.save((loader, self.seen), self.folder / f"{self.trainer.global_rank}.pt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(torch.cuda.is_available(), reason="processes cannot be forked once CUDA was used")
def test_two_gloo_processes_see_what_one_sees(numbered: type[ImageDataModule], tmp_path: Path) -> None:
    whole = Recorder()
    fit(numbered(batch_size=6, images=100), whole)
    fit(numbered(batch_size=6, images=100), RankRecorder(tmp_path), strategy="ddp_fork", devices=2)
    (left_loader, left), (right_loader, right) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert left_loader == right_loader == "BatchStream"
    assert [first + second for first, second in zip(left, right, strict=True)] == whole.seen


def test_the_stream_follows_the_trainers_device(numbered: type[ImageDataModule]) -> None:
    data = attach(numbered(batch_size=6), 0, 1)
    assert data.trainer is not None
    data.trainer.strategy.root_device = torch.device("meta")  # type: ignore[misc]
    images, labels = data.train_dataloader().batch(0)
    assert images.device.type == labels.device.type == "meta"


def test_a_batch_that_ranks_cannot_share_is_refused(numbered: type[ImageDataModule]) -> None:
    with pytest.raises(DataError, match=r"^batch_size=6 cannot be shared equally by 4 processes\.$"):
        attach(numbered(batch_size=6), 0, 4).train_dataloader()


def test_setup_loads_once_and_describes_what_it_loaded(
    numbered: type[ImageDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = numbered()
    data.setup("fit")
    images = data.train_images
    monkeypatch.setattr(numbered, "load", None)
    data.setup("test")
    assert data.train_images is images
    assert data.image_shape == (1, 2, 2)


def test_the_digest_tells_pixels_and_shapes_apart(numbered: type[ImageDataModule]) -> None:
    class Reshaped(numbered):  # type: ignore[valid-type, misc]
        def load(self) -> tuple[Split, Split]:
            train, test = super().load()
            changed = test.images.clone()
            changed[0, 0, 0, 0] += 1
            return Split(train.images.reshape(-1, 1, 1, 4), train.labels), Split(changed, test.labels)

    def digests(data: ImageDataModule) -> set[str]:
        data.setup()
        return {data.digest("train"), data.digest("test")}

    assert digests(numbered()) == digests(numbered(seed=1))
    assert len(digests(numbered()) | digests(Reshaped())) == 4


def test_the_digest_is_of_the_shape_and_the_bytes_whatever_the_type(numbered: type[ImageDataModule]) -> None:
    class Scaled(numbered):  # type: ignore[valid-type, misc]
        def load(self) -> tuple[Split, Split]:
            train, test = super().load()
            return Split(train.images / 255, train.labels), Split(test.images, test.labels)

    data = Scaled()
    data.setup()
    for split, images in (("train", data.train_images), ("test", data.test_images)):
        content = str(tuple(images.shape)).encode() + images.numpy().tobytes()
        assert data.digest(split) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (14, 1), (15, 2), (1000, 100)])
def test_the_split_is_a_partition_and_always_the_same(count: int, held_out: int) -> None:
    train, test = split_indices(count)
    assert torch.equal(torch.cat([train, test]).sort().values, torch.arange(count))
    assert len(test) == held_out
    assert torch.equal(test, split_indices(count)[1])


def test_a_tenth_is_held_out_but_of_a_small_set_twenty_up_to_a_third() -> None:
    expected = {1: 1, 12: 4, 60: 20, 61: 20, 150: 20, 200: 20, 201: 20, 999: 100}
    assert {count: len(split_indices(count, held_out_share(count))[1]) for count in expected} == expected


@pytest.mark.parametrize("name", DATAMODULES)
def test_every_dataset_takes_what_the_runner_supplies(name: str) -> None:
    place: dict[str, Any] = {"dataset" if name == "hugging_face" else "root": "somewhere"}
    data = DATAMODULES[name](**place, **dict.fromkeys(RUNNER_ARGUMENTS, 3))  # type: ignore[arg-type]
    assert (data.batch_size, data.images, data.seed) == (3, 3, 3)
