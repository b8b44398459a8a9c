"""Paths as a user types them: `~`, `~user`, `$VAR` and `${VAR}` are expanded, whatever names nothing is refused."""

import os
import re
from pathlib import Path

from bench.schema import ConfigError

VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


def expand(key: str, text: str) -> str:
    """The path that `text`, the value of `key`, names; an existing path with an undefined `$NAME` in it is itself.

    Raises ConfigError for an empty path, an undefined variable and an unknown user.
    """
    if not text:
        raise ConfigError(f"{key}=: empty; name a path")
    undefined = [name for match in VARIABLE.finditer(text) if (name := match[1] or match[2]) not in os.environ]
    if undefined and not Path(text).exists():
        raise ConfigError(f"{key}={text}: ${undefined[0]} is not set in the environment; set it or write the path out")
    if not undefined:
        text = VARIABLE.sub(lambda match: os.environ[match[1] or match[2]], text)
    expanded = os.path.expanduser(text)
    if expanded == text and text.startswith("~"):
        raise ConfigError(f"{key}={text}: no home folder of {text.split('/')[0]}; write ./{text} for a name with ~")
    return expanded
