"""`key=value` words -> a tree of settings, each value read by the type of its setting.

A text stays as it is typed, a number is decimal, and what could be meant in two ways is refused. YAML's own reading is
not used, because it takes 010 for 8, 1:30 for 90, `on` for true and ` #2` for a comment.
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
    """All words as nested dicts; a later word replaces the value of an earlier one of the same key."""
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
    """`layer` over `values`: sections are merged, anything else is replaced."""
    merged = dict(values)
    for key, value in layer.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def sections(values: dict[str, Any], layer: dict[str, Any], above: str = "") -> list[str]:
    """The keys of both trees that are a section in one of them and a value in the other."""
    clashes: list[str] = []
    for key in values.keys() & layer.keys():
        one, other = values[key], layer[key]
        if isinstance(one, dict) and isinstance(other, dict):
            clashes += sections(one, other, f"{above}{key}.")
        elif isinstance(one, dict) or isinstance(other, dict):
            clashes.append(f"{above}{key}")
    return clashes


def kind_at(kind: Any, parts: Sequence[str]) -> Any:
    """The type of the setting below `kind`; Any where the schema has none, which its check says later."""
    for part in parts:
        kind = below(kind, part)
    return kind


def below(kind: Any, part: str) -> Any:
    """The type of one key of a section."""
    for option in options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel) and part in option.model_fields:
            return option.model_fields[part].annotation
        if get_origin(option) is dict:
            return get_args(option)[1]
    return Any


def options(kind: Any) -> list[Any]:
    """The types that a union allows, without their constraints."""
    if get_origin(kind) is Annotated:
        return options(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [option for one in get_args(kind) for option in options(one)]
    return [kind]


def read(key: str, text: str, kind: Any) -> Any:
    """The value of `key` that `text` means; the text itself where it means none of that type.

    Raises ConfigError for what has two meanings, and for a list or a section that is not closed.
    """
    allowed = options(kind)
    if text[:1] in ("[", "{") and any(is_section(option) or get_origin(option) is list for option in allowed):
        return convert(key, flow(key, text), kind)
    return scalar(key, text, allowed)


def is_section(option: Any) -> bool:
    return get_origin(option) is dict or (isinstance(option, type) and issubclass(option, BaseModel))


def flow(key: str, text: str) -> Any:
    """`[a, b]` or `{a: b}` as lists and dicts of texts, as YAML writes them and Python prints them."""
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node.end_mark.index == len(text.rstrip()):
            return yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        pass
    example = "[A, B]" if text.startswith("[") else "{KEY: VALUE}"
    raise ConfigError(f"{key}={text}: not readable; write it as {example}")


def convert(key: str, node: Any, kind: Any) -> Any:
    """The texts in lists and dicts read by their types."""
    if isinstance(node, dict):
        return {name: convert(f"{key}.{name}", value, below(kind, name)) for name, value in node.items()}
    if isinstance(node, list):
        item = next((get_args(option)[0] for option in options(kind) if get_origin(option) is list), Any)
        return [convert(key, value, item) for value in node]
    return scalar(key, node, options(kind))


def scalar(key: str, text: str, allowed: Sequence[Any]) -> Any:
    """A number, true, false, null or a choice where one is allowed, a path expanded, or the text."""
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
    """A decimal number, underscores between its digits allowed; the text where it is none."""
    if not NUMBER.fullmatch(text):
        return text
    if LEADING_ZERO.match(text):
        sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-0_")
        plain = sign + (digits if digits[:1].isdigit() else f"0{digits}")
        raise ConfigError(f"{key}={text}: octal to some programs and decimal to others; write {plain}")
    return int(text) if INTEGER.fullmatch(text) else float(text)
