"""What stands behind `model=`, `data=`, `evaluation.extractor=`, `evaluation.metrics=` and `samplers=`.

It is a name of the suite, a name of an installed package, or a place.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any

from bench.config.places import Place, find_place, import_place, names_a_file, short_name, sources
from bench.config.schema import Config, ConfigError, Plugin, check_name
from bench.evaluation.metrics.registry import METRICS, OTHER_FIGURES
from bench.runtime.provenance import code_version
from datamodules import DATAMODULES
from models import MODELS

NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a component, which begins a run_id
SEVERAL = ("metric", "sampler")  # kinds of which a configuration may have several, in `plugins` as "KIND NAME"


@dataclass(frozen=True)
class Kind:
    """What can be plugged in under one key of the command line.

    key: that key. registry: the suite's own, by name. group: of the entry points of other packages. contract:
    "module:function" that raises ValueError about what cannot be used. noun: class or function. taken: names that none
    may have, beside those of the registry.
    """

    key: str
    registry: Mapping[str, Any]
    group: str
    contract: str
    noun: str = "class"
    taken: Collection[str] = ()


CONTRACT = "bench.config.contract:"
KINDS = {
    "model": Kind("model", MODELS, "generative_trilemma.models", f"{CONTRACT}check_model"),
    "data": Kind("data", DATAMODULES, "generative_trilemma.datamodules", f"{CONTRACT}check_data"),
    "extractor": Kind(
        "evaluation.extractor", {}, "generative_trilemma.extractors", f"{CONTRACT}check_extractor", "function",
        taken=("coordinates",),
    ),
    "sampler": Kind("samplers", {}, "generative_trilemma.samplers", f"{CONTRACT}check_sampler", "function"),
    "metric": Kind(
        "evaluation.metrics", METRICS, "generative_trilemma.metrics", f"{CONTRACT}check_metric", "function",
        taken=OTHER_FIGURES,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """A model, a data set, an extractor, a sampler or a metric.

    kind: one of KINDS. name: in tables and run_ids. place: of what is not the suite's own.
    """

    kind: str
    name: str
    place: Place | None = None

    def load(self) -> Any:
        """Import the class or the function; ConfigError if that fails, or if it does not keep the contract."""
        if self.place is None:
            return KINDS[self.kind].registry[self.name]
        loaded = import_place(self.place)
        try:
            resolve_name(KINDS[self.kind].contract)(loaded)
        except ValueError as error:
            raise self.place.error(f"{self.place.name} {error}") from None
        return loaded


def find(kind: str, text: str) -> Component:
    """Return the component that a user has typed, without importing it; ConfigError if there is none."""
    registry, key = KINDS[kind].registry, KINDS[kind].key
    if text in registry:
        return Component(kind, text)
    entries = {entry.value: entry for entry in installed(kind) if entry.name == text}
    if len(entries) > 1:
        packages = " and ".join(sorted(origin(entry) for entry in entries.values()))
        raise ConfigError(f"{key}={text}: is of {packages}; name the place instead", key=key, value=text)
    if entries:
        (entry,) = entries.values()
        return Component(kind, valid(kind, text, text), place_of(kind, text, entry.value))
    if ":" not in text and not names_a_file(text):
        check_name(key, text, [*registry, *(entry.name for entry in installed(kind))])
    place = place_of(kind, text)
    return Component(kind, valid(kind, short_name(place.name), text), place)


def place_of(kind: str, text: str, value: str | None = None) -> Place:
    """Return the place `value` (None: `text`) of a component; ConfigError if there is none."""
    return find_place(KINDS[kind].key, text, value, KINDS[kind].noun)


def valid(kind: str, name: str, text: str) -> str:
    """Return the name of a component that is not the suite's own if it can stand in tables and names of files."""
    key, noun = KINDS[kind].key, KINDS[kind].noun
    if name in KINDS[kind].registry or name in KINDS[kind].taken:
        raise ConfigError(
            f"{key}={text}: would be {name} in tables, which is a name of the suite's own; rename the {noun}",
            key=key, value=text,
        )  # fmt: skip
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{key}={text}: would be {name} in tables; name it with letters A to Z, digits, dashes and underscores",
            key=key, value=text,
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
    return {
        key_of(component.kind, component.name): {"place": str(component.place), "sources": sources(component.place)}
    }


def key_of(kind: str, name: str) -> str:
    """Return the key of a component in a configuration's `plugins`."""
    return f"{kind} {name}" if kind in SEVERAL else kind


def configured(key: str, config: Config) -> Component:
    """Return the component of a configuration by its key in `plugins`; ConfigError if its file is not where it was."""
    kind, _, name = key.partition(" ")
    if name:
        return component_of(kind, name, config.plugins[key])
    name = config.evaluation.extractor if kind == "extractor" else getattr(config, kind)["name"]
    return component_of(kind, name, config.plugins.get(kind))


def component_of(kind: str, name: str, recorded: Plugin | None) -> Component:
    """Return the component of this name; `recorded`: its place, where it is not the suite's own."""
    if recorded is None:
        return Component(kind, check_name(KINDS[kind].key, name, KINDS[kind].registry))
    return Component(kind, name, place_of(kind, recorded.place))


def own_metrics(config: Config) -> dict[str, str]:
    """Return name -> version of the configured metrics of the user's own, see `version`."""
    kinds = {key: key.partition(" ") for key in config.plugins}
    return {
        name: version(config.plugins[key].model_dump()) for key, (kind, _, name) in kinds.items() if kind == "metric"
    }


def version(recorded: Mapping[str, Any]) -> str:
    """Return the name of a plug-in's class or function and a digest of its sources: the same wherever these lie."""
    digest = hashlib.sha256(json.dumps(recorded["sources"], sort_keys=True).encode()).hexdigest()[:12]
    return f"{recorded['place'].rpartition(':')[2]}-{digest}"


def running_code(config: Config, kinds: Collection[str] | None = None) -> dict[str, Any]:
    """Return the suite's `code_version`, and under "plugins" the present digests of the user's own source files.

    kinds: of the plug-ins (None: all).
    """
    chosen = [kind for kind in config.plugins if kinds is None or kind in kinds]
    plugins = {kind: sources(place) for kind in chosen if (place := configured(kind, config).place)}
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
