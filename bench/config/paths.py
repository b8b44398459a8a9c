"""Expand `~`, `~user`, `$VAR` and `${VAR}` in the paths that a user types, and check results folders."""

import os
import re
from pathlib import Path

from bench.config.schema import ConfigError

LONGEST_NAME = 255  # bytes, of the usual file systems
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


def expand(key: str, text: str) -> str:
    """Return the path `text`, the value of `key`, expanded; an existing path with an undefined `$NAME` stays as it is.

    Raises ConfigError for an empty path, an undefined variable and an unknown user.
    """
    if not text:
        raise ConfigError(f"{key}=: empty; name a path", key=key, value=text)
    undefined = [name for match in VARIABLE.finditer(text) if (name := match[1] or match[2]) not in os.environ]
    if undefined and not Path(text).exists():
        raise ConfigError(
            f"{key}={text}: ${undefined[0]} is not set in the environment; set it or write the path out",
            key=key, value=text,
        )  # fmt: skip
    if not undefined:
        text = VARIABLE.sub(lambda match: os.environ[match[1] or match[2]], text)
    expanded = os.path.expanduser(text)
    if expanded == text and text.startswith("~"):
        raise ConfigError(
            f"{key}={text}: no home folder of {text.split('/')[0]}; write ./{text} for a name with ~",
            key=key, value=text,
        )  # fmt: skip
    return expanded


def check_new(key: str, target: Path) -> Path:
    """Return a path, the value of `key`, if a file or folder can be created there; ConfigError if there is one."""
    if os.path.lexists(target):
        raise ConfigError(f"{key}={target}: exists already; name a new one", key=key, value=str(target))
    nearest = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        problem = f"{nearest} is no folder that can be written to"
        raise ConfigError(f"{key}={target}: {problem}; name another place", key=key, value=str(target))
    return target


def check_results(folder: Path, writes: bool = False) -> Path:
    """Return the results folder if it exists or can be created, and with `writes` if this process may write there.

    Raises ConfigError for a file, a dangling link, a name that is too long, and missing rights.
    """
    nearest = folder.absolute()
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in folder.parts):
        raise results_error(folder, "file name too long")
    try:
        os.lstat(folder / "records")  # raises for a name that is too long, a loop of links, and missing rights
    except (FileNotFoundError, NotADirectoryError):
        while not os.path.lexists(nearest):
            nearest = nearest.parent
    except OSError as error:
        raise results_error(folder, str(error.strerror).lower()) from None
    if not nearest.exists():
        raise results_error(folder, f"{nearest} is a link to {os.readlink(nearest)}, which does not exist")
    if not nearest.is_dir():
        raise results_error(folder, f"{nearest} is a file, not a folder")
    if writes and not os.access(nearest, os.W_OK | os.X_OK):
        raise results_error(folder, f"{nearest} cannot be written to; choose another results=DIR")
    return folder


def results_error(folder: Path, problem: str) -> ConfigError:
    """Return the error about a results folder."""
    return ConfigError(f"results={folder}: {problem}", key="results", value=str(folder))
