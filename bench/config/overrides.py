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


def parse_overrides(words: Sequence[str], schema: type[BaseModel]) -> dict[str, Any]:
    """Return all words as nested dicts; a later word replaces the value of an earlier one of the same key."""
    root: dict[str, Any] = {}
    for word in words:
        key, text = word.split("=", 1)
        parts = key.split(".")
        value = parse_value(key, text, type_at(schema, parts))
        for part in reversed(parts):
            value = {part: value}
        for conflict in conflicts(root, value):
            raise ConfigError(
                f"{word}: {conflict} is set both as a value and as a section; set one of them", key=conflict, value=text
            )
        root = overlay(root, value)
    return root


def overlay(values: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Return `values` overridden by `layer`: sections are merged, any other value is replaced."""
    merged = dict(values)
    for key, value in layer.items():
        lower = merged.get(key)
        merged[key] = overlay(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def conflicts(values: dict[str, Any], layer: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the keys that are a section in one of the trees and a value in the other."""
    keys: list[str] = []
    for key in values.keys() & layer.keys():
        lower, upper = values[key], layer[key]
        if isinstance(lower, dict) and isinstance(upper, dict):
            keys += conflicts(lower, upper, f"{prefix}{key}.")
        elif isinstance(lower, dict) or isinstance(upper, dict):
            keys.append(f"{prefix}{key}")
    return keys


def type_at(kind: Any, parts: Sequence[str]) -> Any:
    """Return the type of the setting at `parts`; Any for an unknown key, which the schema refuses later."""
    for part in parts:
        kind = type_of(kind, part)
    return kind


def type_of(kind: Any, key: str) -> Any:
    """Return the type of one key of a section; Any for an unknown key."""
    for option in union_members(kind):
        if isinstance(option, type) and issubclass(option, BaseModel) and key in option.model_fields:
            return option.model_fields[key].annotation
        if get_origin(option) is dict:
            return get_args(option)[1]
    return Any


def union_members(kind: Any) -> list[Any]:
    """Return the members of a union without their constraints; of any other type, the type alone."""
    if get_origin(kind) is Annotated:
        return union_members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [option for member in get_args(kind) for option in union_members(member)]
    return [kind]


def parse_value(key: str, text: str, kind: Any) -> Any:
    """Return `text` as a value of the setting `key`, or unchanged if it is not a value of type `kind`.

    Raises ConfigError for an ambiguous text, and for a list or a section that is not closed.
    """
    members = union_members(kind)
    if text[:1] in ("[", "{") and any(is_section(member) or get_origin(member) is list for member in members):
        return convert_texts(key, parse_yaml_flow(key, text), kind)
    return parse_scalar(key, text, members)


def is_section(kind: Any) -> bool:
    """Return whether values of this type have keys."""
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel))


def parse_yaml_flow(key: str, text: str) -> Any:
    """Parse `[a, b]` or `{a: b}`, as YAML and Python write them, into lists and dicts of texts."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node.end_mark.index == len(text.rstrip()):
            return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        pass
    example = "[A, B]" if text.startswith("[") else "{KEY: VALUE}"
    raise ConfigError(f"{key}={text}: not readable; write it as {example}", key=key, value=text)


def convert_texts(key: str, node: Any, kind: Any) -> Any:
    """Convert the texts in lists and dicts by their types."""
    if isinstance(node, dict):
        return {name: convert_texts(f"{key}.{name}", value, type_of(kind, name)) for name, value in node.items()}
    if isinstance(node, list):
        item = next((get_args(option)[0] for option in union_members(kind) if get_origin(option) is list), Any)
        return [convert_texts(key, value, item) for value in node]
    return parse_scalar(key, node, union_members(kind))


def parse_scalar(key: str, text: str, members: Sequence[Any]) -> Any:
    """Return a number, true, false, null or a choice if it is of one of the types, else the text, a path expanded."""
    if NoneType in members and text == "null":
        return None
    if bool in members and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if int in members or float in members:
        return parse_number(key, text)
    choices = [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]
    if matching := [choice for choice in choices if str(choice) == text]:
        return matching[0]
    return expand(key, text) if key in PATHS else text


def parse_number(key: str, text: str) -> int | float | str:
    """Parse a decimal number, which may have underscores between digits; return any other text unchanged."""
    if not NUMBER.fullmatch(text):
        return text
    if LEADING_ZERO.match(text):
        sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-0_")
        plain = sign + (digits if digits[:1].isdigit() else f"0{digits}")
        raise ConfigError(
            f"{key}={text}: octal to some programs and decimal to others; write {plain}", key=key, value=text
        )
    return int(text) if INTEGER.fullmatch(text) else float(text)
