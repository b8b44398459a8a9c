"""Import the packages beside bench ahead of others of their names: a user's project may have its own models/."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("configs", "datamodules", "models")


class SiblingFinder(MetaPathFinder):
    """Finds the packages NAMES beside bench, whatever the working directory or PYTHONPATH hold."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [str(ROOT)]) if fullname in NAMES else None


def import_siblings_first() -> None:
    """Make imports of NAMES resolve to bench's own from here on.

    Raises ImportError with one sentence if this process has already imported another package of such a name.
    """
    for name in NAMES:
        folders = [Path(folder).resolve() for folder in getattr(sys.modules.get(name), "__path__", [])]
        if name in sys.modules and ROOT / name not in folders:
            location = folders[0] if folders else getattr(sys.modules[name], "__file__", "unknown")
            raise ImportError(
                f"{name}: this process has imported another package of that name, {location}, which hides bench's own; "
                "import bench before it, or in a separate process"
            )
    sys.meta_path.insert(0, SiblingFinder())
