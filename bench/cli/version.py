"""The version of bench as a line of text."""

from importlib.metadata import version

from bench.runtime.provenance import code_version


def version_line() -> str:
    """The package's version and the commit of its code, as records hold it."""
    code = code_version()
    state = {True: "", False: ", with uncommitted changes"}.get(code["clean"], ", changes unknown")
    return f"bench {version('generative-trilemma')}, commit {code['commit']}{state}"
