"""The served page: live, for this machine alone."""

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.report import server as serving
from bench.report.server import Server
from bench.results.status import Running

RUNNING = Running(
    run_id="gan-mnist-4-12345678", config={"model": {"name": "gan"}}, stage="train gan", done=3000, total=12000,
    unit="images", seconds=6.0, left=18.0, curves={"images_seen": [1000.0, 2000.0], "loss": [2.0, 1.0]},
)  # fmt: skip


@pytest.fixture
def folder(results: Path) -> Path:
    """A small results folder: points only."""
    return results / "grid_25"


@pytest.fixture
def served(folder: Path) -> Iterator[Server]:
    with Server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: Server, path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(str(server.server_address[0]), server.server_address[1])
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_only_this_machine_is_served_and_only_under_its_own_name(served: Server) -> None:
    assert served.server_address[0] == "127.0.0.1"
    port = served.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost"):
        assert get(served, "/state", host)[0] == 200
    for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}", "localhost@evil.example:1"):
        for path in ("/", "/state"):
            assert get(served, path, host)[0] == 403
    assert get(served, "/records/")[0] == 404
    assert get(served, "/../../etc/passwd")[0] == 404


def test_the_page_is_made_anew_when_a_record_or_a_picture_has_changed_and_not_otherwise(
    served: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    kept = served.state.render_version
    monkeypatch.setattr(served.state, "render_version", lambda version: made.append(version) or kept(version))
    first = get(served, "/")[1]
    assert get(served, "/")[1] == first
    assert len(made) == 1
    assert json.loads(get(served, "/state")[1])["version"] == made[0]
    assert f'data-version="{made[0]}"' in first
    (picture,) = (folder / "pictures").glob("gan-*/samples.png")
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert get(served, "/")[1] != first
    next((folder / "records").glob("gan-*")).unlink()
    assert "gan-grid_25" not in get(served, "/")[1]
    assert len(set(made)) == len(made) == 3
    assert "connect-src &#39;self&#39;" in first


def test_a_record_that_is_not_whole_is_said_and_the_page_goes_on(served: Server, folder: Path) -> None:
    broken = folder / "records" / "broken.json"
    broken.write_text("{")
    status, text = get(served, "/")
    assert status == 200
    assert "broken.json: not a readable record" in text
    broken.unlink()
    assert 'id="c0"' in get(served, "/")[1]


def test_an_empty_folder_waits(tmp_path: Path) -> None:
    with Server(tmp_path / "none", 0) as server:
        assert "Waiting for records" in server.state.page()
        assert "no records here or in a folder below" in server.state.page()
        assert "No training is running" in server.state.now()["now"]


def test_what_runs_is_shown_with_its_progress_and_its_loss(
    served: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.state.running", lambda results: [RUNNING] if results == folder else [])
    now = json.loads(get(served, "/state")[1])["now"]
    for part in ("gan-mnist-4-12345678", "train gan: 3,000 of 12,000 images, 0:18 left", 'value="3000" max="12000"'):
        assert part in now
    assert "so far: first 2, least 1, last 1" in now


def test_a_taken_port_is_named_and_so_is_the_way_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["report", "--serve", "--port", str(port), f"results={folder}"]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == f"bench: port {port}: in use or not permitted; choose another with --port N, or --port 0 for any free port\n"
    )
    assert main(["report", "--serve", "--port", "70000", f"results={folder}"]) == 2
    assert capsys.readouterr().err.startswith("bench: port 70000: not a port;")


def test_ctrl_c_ends_it_with_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Server, poll_interval: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.Server, "serve_forever", interrupted)
    assert main(["report", "--serve", "--port", "0", f"results={folder}"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{folder}, live: http://127.0.0.1:")
    assert second == "stopped; the records are unchanged"


def test_a_new_record_appears_without_a_reload_and_what_was_chosen_stays(
    served: Server, folder: Path, tmp_path: Path, visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.state.running", lambda results: [RUNNING] if results == folder else [])
    away = shutil.move(next((folder / "records").glob("ddpm-*")), tmp_path)
    page = visit(served.address)
    page.evaluate("window.same = true")
    page.wait_for_selector("#running progress")
    table = page.locator("table.figures").first
    table.locator("th", has_text="FID").locator("button").click()
    page.select_option("#family", "gan")
    page.locator("[data-key=fid]:visible").first.click()
    assert page.locator("tr[data-family=diffusion][data-row]").count() == 0
    shutil.move(away, folder / "records")
    page.wait_for_selector("tr[data-family=diffusion][data-row]", state="attached", timeout=8000)
    assert page.evaluate("window.same")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    # A selector: `wait_for_function` evaluates text again and again, which the page's content policy forbids.
    page.wait_for_selector("tr[data-family=gan]:focus-within")  # once it is closed
    assert page.input_value("#family") == "gan"
    assert page.locator("tr[data-family=diffusion]:visible").count() == 0
    assert "of 4 rows" in page.inner_text("#status")
    page.click("#clear")
    values = [
        float(one) for one in table.locator("td:nth-child(2)").evaluate_all("all => all.map(o => o.dataset.value)")
    ]
    assert values == sorted(values)
    assert page.locator("#running progress").is_visible()
