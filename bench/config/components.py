"""The class behind `model=` and `data=`: a name of the suite, a name of an installed package, or a place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any

from bench.config.places import Place, find_place, import_class, names_a_file, short_name, sources
from bench.config.schema import Config, ConfigError, Plugin, check_name
from bench.runtime.provenance import code_version
from datamodules import DATAMODULES
from models import MODELS

NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a component, which begins a run_id


@dataclass(frozen=True)
class Kind:
    """What can be plugged in under one key of the command line.

    registry: the suite's own, by name. group: of the entry points of other packages. contract: "module:function" that
    raises ValueError about a class that cannot be used.
    """

    registry: Mapping[str, Any]
    group: str
    contract: str


KINDS = {
    "model": Kind(MODELS, "generative_trilemma.models", "bench.config.contract:check_model"),
    "data": Kind(DATAMODULES, "generative_trilemma.datamodules", "bench.config.contract:check_data"),
}


@dataclass(frozen=True)
class Component:
    """A model or a data set.

    kind: model or data. name: in tables and run_ids. place: of a class that is not the suite's own.
    """

    kind: str
    name: str
    place: Place | None = None

    def load(self) -> Any:
        """Import the class; ConfigError if that fails, or if the class does not keep the contract."""
        if self.place is None:
            return KINDS[self.kind].registry[self.name]
        loaded = import_class(self.place)
        try:
            resolve_name(KINDS[self.kind].contract)(loaded)
        except ValueError as error:
            raise self.place.error(f"{self.place.class_name} {error}") from None
        return loaded


def find(kind: str, text: str) -> Component:
    """Return the component that a user has typed, without importing it; ConfigError if there is none."""
    registry = KINDS[kind].registry
    if text in registry:
        return Component(kind, text)
    entries = {entry.value: entry for entry in installed(kind) if entry.name == text}
    if len(entries) > 1:
        packages = " and ".join(sorted(origin(entry) for entry in entries.values()))
        raise ConfigError(f"{kind}={text}: is of {packages}; name the place instead", key=kind, value=text)
    if entries:
        (entry,) = entries.values()
        return Component(kind, valid(kind, text, text), find_place(kind, text, entry.value))
    if ":" not in text and not names_a_file(text):
        check_name(kind, text, [*registry, *(entry.name for entry in installed(kind))])
    place = find_place(kind, text)
    return Component(kind, valid(kind, short_name(place.class_name), text), place)


def valid(kind: str, name: str, text: str) -> str:
    """Return the name of a component that is not the suite's own if it can stand in tables and names of files."""
    if name in KINDS[kind].registry:
        raise ConfigError(
            f"{kind}={text}: would be {name} in tables, which is a name of the suite's own; rename the class",
            key=kind, value=text,
        )  # fmt: skip
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{kind}={text}: would be {name} in tables; name it with letters A to Z, digits, dashes and underscores",
            key=kind, value=text,
        )  # fmt: skip
    return name


def installed(kind: str) -> list[EntryPoint]:
    """Return the entry points of installed packages, by name; none is imported."""
    return sorted(entry_points(group=KINDS[kind].group), key=lambda entry: entry.name)


def origin(entry: EntryPoint) -> str:
    """Return the package and the place of an entry point."""
    return f"{entry.dist.name} {entry.dist.version}, {entry.value}" if entry.dist else entry.value


def plugin(component: Component) -> dict[str, dict[str, Any]]:
    """Return the entry of a configuration's `plugins`; none for a component of the suite's own."""
    if component.place is None:
        return {}
    return {component.kind: {"place": str(component.place), "sources": sources(component.place)}}


def configured(kind: str, config: Config) -> Component:
    """Return the component of a configuration; ConfigError if its file is not where it was."""
    return component_of(kind, getattr(config, kind)["name"], config.plugins.get(kind))


def component_of(kind: str, name: str, recorded: Plugin | None) -> Component:
    """Return the component of this name; `recorded`: its place, where it is not the suite's own."""
    if recorded is None:
        return Component(kind, check_name(kind, name, KINDS[kind].registry))
    return Component(kind, name, find_place(kind, recorded.place))


def running_code(config: Config) -> dict[str, Any]:
    """Return the suite's `code_version`, and under "plugins" the present digests of the user's own source files."""
    places = {kind: place for kind in config.plugins if (place := configured(kind, config).place)}
    plugins = {kind: sources(place) for kind, place in places.items()}
    return code_version() | ({"plugins": plugins} if plugins else {})


def changed_sources(config: Config) -> list[str]:
    """Return the names of the user's own source files that are not as they were when the configuration was made.

    A file that has another name now, as one of a package that is named by its path, has not changed.
    """
    now = running_code(config).get("plugins", {})
    changed: list[str] = []
    for kind, recorded in config.plugins.items():
        common = {*recorded.sources.values()} & {*now[kind].values()}
        changed += sorted(name for name, digest in (now[kind] | recorded.sources).items() if digest not in common)
    return list(dict.fromkeys(changed))
