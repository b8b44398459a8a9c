"""Published data sets in torchvision's layout: found, checked, and downloaded through torchvision."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from datamodules.base import DataError, ImageDataModule
from datamodules.files import absence, check_md5, download, read_bytes, root_folder


class PublishedSet(ImageDataModule):
    """A data set of `torchvision.datasets`, which downloads it; `root` None is ~/.cache/generative-trilemma.

    source: the class in `torchvision.datasets`. downloads: its arguments, beside root and
    download, of each call that is needed. folder: of the files, below root.

    Raises:
        DataError: in `prepare_data()`, when files are missing and cannot be downloaded, and there or in `setup()`
            for a file that is not the published one; such a file is never replaced.
    """

    source: ClassVar[str]
    downloads: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    folder: ClassVar[str]

    @abstractmethod
    def absence(self) -> str | None:
        """Say what is missing, as a sentence without its full stop; None where nothing is."""

    @abstractmethod
    def check(self) -> None:
        """Raise DataError for a file that is there but is not the published one; absent files pass."""

    def prepare_data(self) -> None:
        """Download the files through torchvision if any is missing."""
        sentence = self.absence()
        if sentence is None:
            return
        self.check()  # torchvision would overwrite a file that differs
        with download(sentence):
            from torchvision import datasets  # slow to import, rarely needed

            for arguments in self.downloads:
                getattr(datasets, self.source)(root_folder(self.root), download=True, **arguments)

    @property
    def place(self) -> Path:
        """The folder of the files."""
        return root_folder(self.root) / self.folder


class PublishedFiles(PublishedSet):
    """A published set whose files have an md5 each: `files`, by name. title: in messages."""

    title: ClassVar[str]
    files: ClassVar[Mapping[str, str]]

    def absence(self) -> str | None:
        """Say which of `files` are missing."""
        missing = [name for name in self.files if not (self.place / name).is_file()]
        return absence(self.title, list(self.files), [self.place], missing) if missing else None

    def check(self) -> None:
        """Check the md5 of those of `files` that are there."""
        for name in self.files:
            if (self.place / name).is_file():
                self.read(name)

    def read(self, name: str) -> bytes:
        """Return the content of one of `files`; DataError unless it is the published one."""
        data = read_bytes(self.place / name)
        check_md5(self.place / name, data, self.files[name])
        return data

    def check_presence(self) -> None:
        """Raise DataError if anything is missing."""
        if sentence := self.absence():
            raise DataError(f"{sentence}.")
