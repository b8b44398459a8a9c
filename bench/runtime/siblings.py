"""Import the packages beside bench ahead of others of their names: a user's project may have its own models/."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

HOUSE = Path(__file__).resolve().parents[2]
NAMES = ("configs", "datamodules", "models")


class Siblings(MetaPathFinder):
    """Find NAMES beside bench, whatever packages the working directory or PYTHONPATH have."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(HOUSE)]) if fullname in NAMES else None


def come_first() -> None:
    """Make imports of NAMES resolve to bench's own from here on.

    Raises ImportError with one sentence if this process has already imported another package of such a name.
    """
    for name in NAMES:
        folders = [Path(folder).resolve() for folder in getattr(sys.modules.get(name), "__path__", [])]
        if name in sys.modules and HOUSE / name not in folders:
            where = folders[0] if folders else getattr(sys.modules[name], "__file__", "unknown")
            raise ImportError(
                f"{name}: this process has imported another package of that name, {where}, which hides bench's own; "
                "import bench before it, or in a process of its own"
            )
    sys.meta_path.insert(0, Siblings())
