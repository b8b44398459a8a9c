"""The version is the package's, with the commit of the code that records hold too."""

from importlib.metadata import version

import pytest

from bench.cli import version as module


@pytest.mark.parametrize(
    ("clean", "said"), [(True, ""), (False, ", with uncommitted changes"), (None, ", changes unknown")]
)
def test_the_line_has_version_commit_and_state(clean: bool | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "code_version", lambda: {"commit": "abc", "clean": clean})
    assert module.version_line() == f"bench {version('generative-trilemma')}, commit abc{said}"
