"""The user's own extractor, metrics and samplers of a configuration: their names, places and digests."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.config.components import KINDS, Component, component_of, find, key_of, plugin, version
from bench.config.places import names_a_file, short_name
from bench.config.schema import ConfigError, Plugin


def with_plugins(values: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with the user's own extractor and metrics by name, and all places in `plugins`.

    Names whose places `plugins` has keep them. The digests are those of the present files, which are imported.
    """
    evaluation, places = dict(values["evaluation"]), values.get("plugins", {})
    plugins = {kind: place for kind, place in places.items() if kind in ("model", "data")}
    extractor, metrics = evaluation.get("extractor"), evaluation.get("metrics")
    own = own_samplers(values, places)
    known = places.get("extractor")
    if known and short_name(known["place"].rpartition(":")[2]) == extractor:
        own.append(found("extractor", extractor, known))
    elif isinstance(extractor, str) and (":" in extractor or names_a_file(extractor)):
        own.append(find("extractor", extractor))
        evaluation["extractor"] = own[-1].name
    if isinstance(metrics, list) and all(isinstance(text, str) for text in metrics):
        components = [found("metric", text, places.get(key_of("metric", text))) for text in metrics]
        check_metrics(components)
        evaluation["metrics"] = [component.name for component in components]
        own += components
    for component in own:
        component.load()
        plugins |= plugin(component)
    return {**values, "evaluation": evaluation, "plugins": plugins}


def own_samplers(values: Mapping[str, Any], places: Mapping[str, Any]) -> list[Component]:
    """Return the functions by which a configuration's samplers draw; models can find them from here on."""
    rows = values.get("samplers", {})
    keys = {str(row.get("function", "")) for row in rows.values() if isinstance(row, dict)}
    names = sorted({name for key in keys if (name := key.rpartition("-")[0]) and key_of("sampler", name) in places})
    components = [found("sampler", name, places[key_of("sampler", name)]) for name in names]
    for component in components:
        register(component)
    return components


def found(kind: str, text: str, recorded: Mapping[str, Any] | None) -> Component:
    """Return the component of a name or a place; `recorded`: where it was when a run was recorded."""
    if recorded is None:
        return find(kind, text)
    try:
        return component_of(kind, text, Plugin(**recorded))
    except ConfigError as error:
        key = KINDS[kind].key
        ways = {"extractor": "PLACE", "sampler": "[PLACE-STEPS]", "metric": "[PLACE], or [] for none"}
        raise ConfigError(f"{error}; if it has moved, give {key}={ways[kind]}", key=key, value=text) from None


def check_metrics(components: Sequence[Component]) -> None:
    """Refuse a metric of the suite's, which is computed anyway, and two of one name."""
    names = [component.name for component in components]
    for component in components:
        if component.place is None:
            raise ConfigError(
                f"evaluation.metrics={component.name}: is one of the suite's own, which are all computed; name yours",
                key="evaluation.metrics", value=component.name,
            )  # fmt: skip
        if names.count(component.name) > 1:
            raise ConfigError(
                f"evaluation.metrics: two are called {component.name}; rename one of them",
                key="evaluation.metrics", value=component.name,
            )  # fmt: skip


def register(component: Component) -> str:
    """Import a function that samples; return the key by which models find it."""
    from models.diffusion.own_samplers import OWN

    function = component.load()
    ((_, place),) = plugin(component).items()
    OWN[version(place)] = function
    return version(place)
