"""Parse `key=value` words into a tree of settings, each value by the type of its setting.

A text stays as it is typed. A number is decimal. A value with two possible meanings is refused. YAML's own parsing of
scalars is not used, because it reads 010 as 8, 1:30 as 90, `on` as true and ` #2` as a comment.
"""

import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from bench.config.paths import expand
from bench.config.schema import ConfigError

PATHS = ("results", "data.root", "evaluation.extractor_weights")
INTEGER = re.compile(r"[-+]?\d+(_\d+)*", re.ASCII)
NUMBER = re.compile(r"[-+]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
LEADING_ZERO = re.compile(r"[-+]?0[\d_]", re.ASCII)


def tree(words: Sequence[str], schema: type[BaseModel]) -> dict[str, Any]:
    """Return all words as nested dicts; a later word replaces the value of an earlier one of the same key."""
    root: dict[str, Any] = {}
    for word in words:
        key, text = word.split("=", 1)
        parts = key.split(".")
        value = read(key, text, kind_at(schema, parts))
        for part in reversed(parts):
            value = {part: value}
        for above in sections(root, value):
            raise ConfigError(f"{word}: {above} is given both as a value and as a section; give one of them")
        root = overlay(root, value)
    return root


def overlay(values: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Return `layer` over `values`: sections are merged, any other value is replaced."""
    merged = dict(values)
    for key, value in layer.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def sections(values: dict[str, Any], layer: dict[str, Any], above: str = "") -> list[str]:
    """Return the keys that are a section in one of the trees and a value in the other."""
    clashes: list[str] = []
    for key in values.keys() & layer.keys():
        lower, upper = values[key], layer[key]
        if isinstance(lower, dict) and isinstance(upper, dict):
            clashes += sections(lower, upper, f"{above}{key}.")
        elif isinstance(lower, dict) or isinstance(upper, dict):
            clashes.append(f"{above}{key}")
    return clashes


def kind_at(kind: Any, parts: Sequence[str]) -> Any:
    """Return the type of the setting at `parts`; Any for an unknown key, which the schema refuses later."""
    for part in parts:
        kind = below(kind, part)
    return kind


def below(kind: Any, part: str) -> Any:
    """Return the type of one key of a section."""
    for option in options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel) and part in option.model_fields:
            return option.model_fields[part].annotation
        if get_origin(option) is dict:
            return get_args(option)[1]
    return Any


def options(kind: Any) -> list[Any]:
    """Return the members of a union without their constraints."""
    if get_origin(kind) is Annotated:
        return options(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [option for member in get_args(kind) for option in options(member)]
    return [kind]


def read(key: str, text: str, kind: Any) -> Any:
    """Return `text` as a value of the setting `key`, or unchanged if it is no value of that type.

    Raises ConfigError for an ambiguous text, and for a list or a section that is not closed.
    """
    allowed = options(kind)
    if text[:1] in ("[", "{") and any(is_section(option) or get_origin(option) is list for option in allowed):
        return convert(key, flow(key, text), kind)
    return scalar(key, text, allowed)


def is_section(option: Any) -> bool:
    return get_origin(option) is dict or (isinstance(option, type) and issubclass(option, BaseModel))


def flow(key: str, text: str) -> Any:
    """Parse `[a, b]` or `{a: b}`, as YAML and Python write them, into lists and dicts of texts."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node.end_mark.index == len(text.rstrip()):
            return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        pass
    example = "[A, B]" if text.startswith("[") else "{KEY: VALUE}"
    raise ConfigError(f"{key}={text}: not readable; write it as {example}")


def convert(key: str, node: Any, kind: Any) -> Any:
    """Convert the texts in lists and dicts by their types."""
    if isinstance(node, dict):
        return {name: convert(f"{key}.{name}", value, below(kind, name)) for name, value in node.items()}
    if isinstance(node, list):
        item = next((get_args(option)[0] for option in options(kind) if get_origin(option) is list), Any)
        return [convert(key, value, item) for value in node]
    return scalar(key, node, options(kind))


def scalar(key: str, text: str, allowed: Sequence[Any]) -> Any:
    """Return a number, true, false, null or a choice where the type allows it, else an expanded path or the text."""
    if NoneType in allowed and text == "null":
        return None
    if bool in allowed and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if int in allowed or float in allowed:
        return number(key, text)
    choices = [choice for option in allowed if get_origin(option) is Literal for choice in get_args(option)]
    if matching := [choice for choice in choices if str(choice) == text]:
        return matching[0]
    return expand(key, text) if key in PATHS else text


def number(key: str, text: str) -> int | float | str:
    """Parse a decimal number, with underscores between digits allowed; return the text if it is none."""
    if not NUMBER.fullmatch(text):
        return text
    if LEADING_ZERO.match(text):
        sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-0_")
        plain = sign + (digits if digits[:1].isdigit() else f"0{digits}")
        raise ConfigError(f"{key}={text}: octal to some programs and decimal to others; write {plain}")
    return int(text) if INTEGER.fullmatch(text) else float(text)
