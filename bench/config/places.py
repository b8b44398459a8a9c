"""Places of what users write themselves: `./mine.py:Mine`, or `package.module:Mine` of a package."""

import ast
import hashlib
import importlib
import os
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.config.paths import expand
from bench.config.schema import ConfigError
from bench.runtime.errors import cause, suggestion
from bench.runtime.siblings import NAMES

OWN = (*NAMES, "bench", "generative_trilemma")  # top-level packages of the suite
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
LOADED: dict[str, str] = {}  # of the user's modules that were imported here: name -> sha256 of the source then
SEARCHED: set[Path] = set()  # folders that were added to Python's path


@dataclass(frozen=True)
class Place:
    """Where a class or a function is, of a file or of a module.

    key, text: the setting and its value as the user typed them, for messages. module: the importable module; "" for a
    file that is imported by its path. file: the absolute path of the source. noun: what is looked for.
    """

    key: str
    text: str
    module: str
    file: Path
    name: str
    noun: str = "class"

    def __str__(self) -> str:
        return f"{self.module or self.file}:{self.name}"

    @property
    def folder(self) -> Path:
        """The folder in which names of the user's own modules are looked up: the file's, or that of its package."""
        return self.file.parents[self.module.count(".") + (self.file.name == "__init__.py") if self.module else 0]

    def owns(self, file: Path) -> bool:
        """Return whether a file is the user's own: of the same package, or of the file's folder and not installed."""
        if self.module:
            return file == self.file or file.is_relative_to(self.folder / self.module.partition(".")[0])
        return file.is_relative_to(self.folder) and "site-packages" not in file.relative_to(self.folder).parts

    def error(self, problem: str) -> ConfigError:
        """Return the error about this place."""
        return ConfigError(f"{self.key}={self.text}: {problem}", key=self.key, value=self.text)


def names_a_file(text: str) -> bool:
    """Return whether the part of a place before its name is a path."""
    return text.endswith(".py") or "/" in text or os.sep in text


def find_place(key: str, text: str, value: str | None = None, noun: str = "class") -> Place:
    """Return the place `value` (None: `text`), its file found but not imported; ConfigError if there is none.

    key, text: the setting and its value as typed. A relative path begins at the working folder. noun: what is looked
    for, a class or a function.
    """
    head, _, name = (value or text).rpartition(":")
    if not head or not all(part.isidentifier() for part in name.split(".")):
        example = f"{text.rstrip(':')}:NAME"
        raise ConfigError(f"{key}={text}: names no {noun}; write {key}={example}", key=key, value=text)
    if names_a_file(head):
        place = Place(key, text, "", Path(os.path.abspath(expand(key, head))), name, noun)
        if not place.file.is_file():
            raise place.error(f"no file {place.file}")
        return place
    return Place(key, text, head, module_file(Place(key, text, head, Path(), name, noun)), name, noun)


def module_file(place: Place) -> Path:
    """Return the source file of a module; the working folder is searched after Python's own path."""
    top, *rest = place.module.split(".")
    if top in OWN:
        path = "/".join([".", top, *rest])
        raise place.error(
            f"{top} is a package of the suite; if you mean your own, name its file: {place.key}={path}.py:{place.name}"
        )
    search_last(Path.cwd())
    try:
        spec = find_spec(place.module)
    except ModuleNotFoundError as error:
        if not error.name or not f"{place.module}.".startswith(f"{error.name}."):
            raise place.error(f"cannot be imported: {cause(error)}") from error
        spec = None
    except (Exception, SystemExit) as error:  # of the packages above the module
        raise place.error(f"cannot be imported: {cause(error)}") from error
    if spec is None or not spec.origin or not Path(spec.origin).is_file():
        raise place.error(
            f"no module {place.module} is installed or lies in {Path.cwd()}; a file is named by its path, "
            f"{place.key}=./FILE.py:{place.name}"
        )
    return Path(spec.origin)


def search_last(folder: Path) -> None:
    """Let Python find modules in a folder, after all others, so that they hide none."""
    importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        SEARCHED.add(folder.resolve())


def import_place(place: Place) -> Any:
    """Import a class or a function; ConfigError with the user's own exception, its file and its line if that fails."""
    module = import_module(place)
    thing: object = module
    for part in place.name.split("."):
        thing = getattr(thing, part, None)
    if thing is None:
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        hint = suggestion(place.name, own) or f"; it has {', '.join(own) or 'none'}"
        raise place.error(f"{place.file} has no {place.noun} {place.name}{hint}")
    if not (isinstance(thing, type) if place.noun == "class" else callable(thing)):
        raise place.error(f"{place.name} is no {place.noun} but of type {type(thing).__name__}")
    return thing


def import_module(place: Place) -> ModuleType:
    """Import the module of a place from the sources that `sources` names, and from no older state of them."""
    current = {file.resolve(): digest for file, digest in digests(place).items()}
    forget_older(current)
    try:
        module = importlib.import_module(place.module) if place.module else import_file(place)
    except (Exception, SystemExit) as error:
        raise place.error(f"cannot be imported: {cause(error, place.owns)}{hidden(error)}") from error
    LOADED.update({name: current[file] for name, file in loaded_from(current).items()})
    return module


def forget_older(current: dict[Path, str]) -> None:
    """Make Python import the user's modules again if one of these files was imported in another state.

    current: file -> its sha256 now. A module that was imported elsewhere in this process, in a state that nobody knows,
    counts as another. All modules in LOADED are forgotten then, because one may hold names of another.
    """
    loaded = loaded_from(current)
    if any(LOADED.get(name) != current[file] for name, file in loaded.items()):
        for name in {*loaded, *LOADED}:
            sys.modules.pop(name, None)
        LOADED.clear()


def loaded_from(files: Collection[Path]) -> dict[str, Path]:
    """Return module -> file of every imported module that is of one of the files, but not of the program that runs."""
    ends = tuple(f"{os.sep}{file.name}" for file in files)
    origins = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    likely = {name: Path(file).resolve() for name, file in origins if isinstance(file, str) and file.endswith(ends)}
    return {name: file for name, file in likely.items() if file in files and name != "__main__"}


def hidden(error: BaseException) -> str:
    """Return what to do where a user's module imports another of a package that has the name of one of the suite's."""
    name = error.name if isinstance(error, ImportError) else None
    top = (name or "").partition(".")[0]
    if top not in NAMES:
        return ""
    return f"; {top} is the suite's package here, so import your own by a relative import, as in `from .x import y`"


def import_file(place: Place) -> ModuleType:
    """Import a file under a private name, so that no package of the user's or of the suite is hidden.

    Modules beside it can be imported relatively or by their name. A file that has changed is imported again.
    """
    digest = hashlib.sha256(f"{place.file} {sources(place)}".encode()).hexdigest()[:16]
    package, name = f"_bench_{digest}", f"_bench_{digest}.{place.file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    search_last(Path.cwd())
    sys.modules[package] = ModuleType(package)
    sys.modules[package].__path__ = [str(place.file.parent)]
    spec = spec_from_file_location(name, place.file)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:  # of the source: bytecode is taken for current within a second of a change
        exec(compile(place.file.read_bytes(), place.file, "exec"), vars(module))
    except BaseException:
        for loaded in [key for key in sys.modules if key == package or key.startswith(f"{package}.")]:
            del sys.modules[loaded]
        raise
    return module


def sources(place: Place) -> dict[str, str]:
    """Return name -> sha256 of the place's file and of the user's own files that it imports, directly or not.

    Names are relative to the place's `folder`, with forward slashes. Raises ConfigError where Python would import
    another file of the user's than the one beside the place.
    """
    return {file.relative_to(place.folder).as_posix(): digest for file, digest in digests(place).items()}


def digests(place: Place) -> dict[Path, str]:
    """Return the files behind `sources`, sorted, with their sha256."""
    files: dict[Path, None] = {}
    waiting = [place.file, *packages_above(place)]
    search_last(place.folder)
    while waiting:
        file = waiting.pop()
        if file not in files and place.owns(file) and file.is_file():
            files[file] = None
            waiting += imported_files(file, place)
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def packages_above(place: Place) -> list[Path]:
    """Return the __init__.py of each package that holds a module: they run before it."""
    parts = place.module.split(".")[:-1]
    return [place.folder.joinpath(*parts[:count], "__init__.py") for count in range(1, len(parts) + 1)]


def imported_files(file: Path, place: Place) -> Iterator[Path]:
    """Yield the files that a Python file's imports may name."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # a compiled module, or a mistake that the import reports
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from absolute_files(alias.name.split("."), file, place)
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            for alias in node.names:
                if 0 < node.level <= len(file.parents):
                    yield from files_of(file.parents[node.level - 1], [*parts, alias.name])
                else:
                    yield from absolute_files([*parts, alias.name], file, place)


def absolute_files(parts: list[str], file: Path, place: Place) -> list[Path]:
    """Return the possible files of a dotted name below the place's folder; none if Python finds it elsewhere.

    file: where the import stands. ConfigError if Python finds it in another folder of the user's.
    """
    candidates = list(files_of(place.folder, parts))
    if not any(map(Path.is_file, candidates)):
        return []
    found = folders_of(parts[0])
    if place.folder.resolve() in found:
        return candidates
    if elsewhere := [folder for folder in found if folder in SEARCHED]:
        raise place.error(
            f"{file.name} imports {parts[0]}, which Python finds in {elsewhere[0]}; import the one beside it "
            f"relatively, as in `from .{parts[0]} import y`"
        )
    return []  # the suite's, or of an installed package


def folders_of(name: str) -> list[Path]:
    """Return the folders that hold a top-level module or package as Python finds it, loaded or not."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # ValueError: a loaded module without a spec
        return []
    return [Path(file).resolve().parent for file in locations(spec)] if spec else []


def locations(spec: ModuleSpec) -> list[str]:
    """Return the folders of a package, or the file of a module; none of a built-in one."""
    if spec.submodule_search_locations is not None:
        return list(spec.submodule_search_locations)
    return [spec.origin] if spec.has_location and spec.origin else []


def files_of(folder: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the possible files of a dotted name: of each package above it, and of the module itself."""
    for count in range(len(parts) + 1):
        path = folder.joinpath(*parts[:count])
        yield from (path / "__init__.py", path.with_suffix(".py")) if count else ()


def short_name(name: str) -> str:
    """Return a class's or a function's name as tables and run_ids show it: `PixelGaussian` is `pixel_gaussian`."""
    return WORDS.sub("_", name.rpartition(".")[2]).lower()
