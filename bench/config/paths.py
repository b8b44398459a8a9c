"""Expand the paths that a user types (`~`, `~user`, `$VAR`, `${VAR}`), and refuse those that name nothing."""

import os
import re
from pathlib import Path

from bench.config.schema import ConfigError

LONGEST_NAME = 255  # bytes, of the usual file systems
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


def expand(key: str, text: str) -> str:
    """Return the path that `text`, the value of `key`, names; an existing path with an undefined `$NAME` is kept.

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


def check_results(folder: Path, writes: bool = False) -> Path:
    """Return the folder if it exists or can be created, and with `writes` if this process may write there.

    Raises ConfigError for a file, a dangling link, a name that is too long, and missing rights.
    """
    nearest = folder.absolute()
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in folder.parts):
        raise ConfigError(f"results={folder}: file name too long")
    try:
        os.lstat(folder / "records")  # whose name is shorter than those of the files in it
    except (FileNotFoundError, NotADirectoryError):
        while not os.path.lexists(nearest):
            nearest = nearest.parent
    except OSError as error:
        raise ConfigError(f"results={folder}: {str(error.strerror).lower()}") from None
    if not nearest.exists():
        raise ConfigError(f"results={folder}: {nearest} is a link to {os.readlink(nearest)}, which does not exist")
    if not nearest.is_dir():
        raise ConfigError(f"results={folder}: {nearest} is a file, not a folder")
    if writes and not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"results={folder}: {nearest} cannot be written to; choose another results=DIR")
    return folder
