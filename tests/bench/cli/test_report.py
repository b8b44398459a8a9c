"""`bench report` writes, checks or serves one page, and takes a port only to serve it."""

from collections.abc import Callable

import pytest

from bench.cli.main import main
from bench.cli.report import PORT


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "--port=80: belongs to --serve; leave it out" in refusal("report --port 80")


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ([], "write r"),
        (["--check"], "check r"),
        (["--serve"], f"look r {PORT}"),
        (["--serve", "--port", "0"], "look r 0"),
    ],
)
def test_each_mode_is_one_call(words: list[str], call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("write", "check", "look"):

        def called(overrides: list[str], *more: object, name: str = name) -> int:
            calls.append(" ".join(map(str, (name, *overrides, *more))))
            return 7

        monkeypatch.setattr(f"bench.report.write.{name}", called)
    assert main(["report", "r", *words]) == (7 if words else 0)
    assert calls == [call]
