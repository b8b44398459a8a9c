"""A stand-in for W&B's server: it answers as much of its API as wandb asks for, and keeps what it is told.

And an environment in which wandb knows no other.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import wandb

KEY = "a" * 40
ENTITY = {"id": "RW50", "name": "me"}


@dataclass
class KeptRun:
    """What the server knows of a run."""

    told: dict[str, Any] = field(default_factory=dict)  # the newest of each of UpsertBucket's variables
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    opened: int = 0  # times that it was created or resumed
    exit_code: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        return json.loads(self.told["config"])

    def node(self, name: str) -> dict[str, Any]:
        tail = json.dumps([json.dumps(self.history[-1])] if self.history else [])
        return {
            "id": f"run:{name}", "projectId": "1", "name": name, "notes": None,
            "displayName": self.told.get("displayName", name), "description": "",
            "config": self.told.get("config", "{}"), "wandbConfig": json.dumps({"t": {}}),
            "tags": self.told.get("tags") or [], "sweepName": None,
            "project": project(self.told.get("project", "p")), "state": "finished", "group": None,
            "jobType": None, "commit": None, "readOnly": False, "createdAt": "2026-01-01T00:00:00Z",
            "heartbeatAt": "2026-01-01T00:00:00Z", "systemMetrics": "{}", "summaryMetrics": json.dumps(self.summary),
            "historyLineCount": len(self.history), "logLineCount": 0, "eventsLineCount": 0, "historyTail": tail,
            "eventsTail": "[]", "user": {"name": "me", "username": "me"}, "historyKeys": None,
        }  # fmt: skip


@dataclass
class KeptArtifact:
    """One version of an artifact; equal digests under one name are one."""

    name: str
    kind: str
    digest: str
    files: dict[str, bytes] = field(default_factory=dict)
    made_by: set[str] = field(default_factory=set)
    used_by: set[str] = field(default_factory=set)
    metadata: dict[str, Any] = field(default_factory=dict)


def project(name: str) -> dict[str, Any]:
    return {"id": "UHJv", "name": name, "entity": ENTITY}


class Standin:
    """Listens on the loopback from `with` to its end. `dead`: it takes requests and never answers them."""

    def __init__(self) -> None:
        self.runs: dict[str, KeptRun] = defaultdict(KeptRun)
        self.artifacts: dict[str, KeptArtifact] = {}  # by id
        self.views: list[dict[str, Any]] = []  # reports
        self.asked: list[str] = []
        self.unknown: list[str] = []
        self.dead, self.closing = Event(), Event()
        self.refused = ""  # the name of what it answers with an error

    def __enter__(self) -> "Standin":
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that hangs up
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.dead.set()
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def kind(self, kind: str) -> list[KeptArtifact]:
        return [one for one in self.artifacts.values() if one.kind == kind]

    def answer(self, name: str, v: dict[str, Any], query: str) -> Any:
        """The data of a GraphQL reply."""
        self.asked.append(name)
        if method := getattr(self, name, None):
            return method(v)
        self.unknown.append(query)
        return {}

    def Viewer(self, v: dict[str, Any]) -> Any:
        return {"viewer": {"id": "VXNl", "entity": "me", "username": "me", "email": "a@b", "flags": "{}",
                           "teams": {"edges": []}}}  # fmt: skip

    GetDefaultEntity = Viewer

    def ServerInfo(self, v: dict[str, Any]) -> Any:
        return {"serverInfo": {"cliVersionInfo": {"max_cli_version": "9.0.0"}, "latestLocalVersionInfo": None}}

    def ServerFeaturesQuery(self, v: dict[str, Any]) -> Any:
        return {"serverInfo": {"features": []}}

    def OrganizationCoreWeaveOrganizationID(self, v: dict[str, Any]) -> Any:
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    def RunResumeStatus(self, v: dict[str, Any]) -> Any:
        known = v["name"] in self.runs
        return {"model": project(v["project"]) | {"bucket": self.runs[v["name"]].node(v["name"]) if known else None}}

    def UpsertBucket(self, v: dict[str, Any]) -> Any:
        inserted = v["name"] not in self.runs
        run = self.runs[v["name"]]
        run.opened += v["displayName"] is not None  # only what opens a run names it
        run.told |= {key: value for key, value in v.items() if value is not None}
        return {"upsertBucket": {"bucket": run.node(v["name"]), "inserted": inserted}}

    def Runs(self, v: dict[str, Any]) -> Any:
        by_id, by_name = (next(iter(one.values()))["$in"] for one in json.loads(v["filters"])["$or"])
        found = [name for name, run in self.runs.items() if name in by_id or run.told["displayName"] in by_name]
        if not self.runs:
            return {"project": None}
        page = {"endCursor": None, "hasNextPage": False}
        edges = [{"node": self.runs[name].node(name), "cursor": name} for name in found]
        return {"project": {"internalId": "1", "runCount": len(found), "readOnly": False,
                            "runs": {"edges": edges, "pageInfo": page}}}  # fmt: skip

    def ProjectInternalId(self, v: dict[str, Any]) -> Any:
        return {"project": {"id": "UHJv", "internalId": "1"} if self.runs else None}

    def GetProjects(self, v: dict[str, Any]) -> Any:
        page = {"endCursor": None, "hasNextPage": False}
        more = {"entityName": "me", "createdAt": "2026-01-01T00:00:00Z", "isBenchmark": False, "user": None}
        names = {run.told["project"] for run in self.runs.values()}
        nodes = [project(name) | more for name in names]
        return {"models": {"edges": [{"node": node, "cursor": ""} for node in nodes], "pageInfo": page}}

    def upsertView(self, v: dict[str, Any]) -> Any:
        view = {**v, "id": v["id"] or f"view-{len(self.views)}", "project": project(v["projectName"])}
        self.views.append(view)
        return {"upsertView": {"view": view, "inserted": True}}

    def CreateRunFiles(self, v: dict[str, Any]) -> Any:
        files = [{"name": name, "uploadUrl": f"{self.url}/keep/{v['run']}/{name}"} for name in v["files"]]
        return {"createRunFiles": {"runID": "UnVu", "uploadHeaders": [], "files": files}}

    def ArtifactType(self, v: dict[str, Any]) -> Any:
        return {"project": {"artifact": None}}

    def CreateArtifact(self, v: dict[str, Any]) -> Any:
        given = v["input"]
        name = given["artifactCollectionName"]
        key = f"{name}:{given['digest']}"
        metadata = json.loads(given.get("metadata") or "{}")
        kept = self.artifacts.setdefault(
            key, KeptArtifact(name, given["artifactTypeName"], given["digest"], metadata=metadata)
        )
        kept.made_by |= {given["runName"]} - {None}  # what is only used names no run here
        made = {"id": key, "state": "COMMITTED" if kept.files else "PENDING",
                "artifactSequence": {"id": "U2Vx", "latestArtifact": None}}  # fmt: skip
        return {"createArtifact": {"artifact": made}}

    def CreateArtifactManifest(self, v: dict[str, Any]) -> Any:
        file = {"id": "Rmls", "name": "wandb_manifest.json", "uploadUrl": f"{self.url}/manifest", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": v["artifactID"], "file": file}}}

    def CreateArtifactFiles(self, v: dict[str, Any]) -> Any:
        nodes = [
            {
                "id": "Rm", "name": one["name"], "displayName": one["name"], "uploadHeaders": [],
                "uploadUrl": f"{self.url}/artifact/{one['artifactID']}/{one['name']}", "uploadMultipartUrls": None,
                "storagePath": one["name"], "artifact": {"id": one["artifactID"]},
            }
            for one in v["input"]["artifactFiles"]
        ]  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def ArtifactByID(self, v: dict[str, Any]) -> Any:
        one = self.artifacts[v["id"]]
        of = {"id": "UHJv", "internalId": "UHJv", "name": "p", "entity": {"name": "me"}}
        return {"artifact": {
            "__typename": "Artifact", "id": v["id"], "versionIndex": 0, "artifactType": {"name": one.kind},
            "artifactSequence": {"__typename": "ArtifactSequence", "name": one.name, "project": of},
            "description": None, "metadata": "{}", "ttlDurationSeconds": -2, "ttlIsInherited": True, "tags": [],
            "historyStep": None, "state": "COMMITTED", "size": 1, "digest": one.digest, "commitHash": "x",
            "fileCount": 1, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": None, "aliases": [],
        }}  # fmt: skip

    def CommitArtifact(self, v: dict[str, Any]) -> Any:
        return {"commitArtifact": {"artifact": {"id": v["artifactID"], "digest": "x"}}}

    def UseArtifact(self, v: dict[str, Any]) -> Any:
        one = self.artifacts[v["input"]["artifactID"]]
        one.used_by.add(v["input"]["runName"])
        return {"useArtifact": {"artifact": {"id": v["input"]["artifactID"], "digest": "x", "description": "",
                                             "state": "COMMITTED", "createdAt": "x", "metadata": "{}"}}}  # fmt: skip

    def stream(self, run_id: str, body: dict[str, Any]) -> None:
        """Lines replace those from their offset on, as the server's do."""
        run = self.runs[run_id]
        for name, part in body.get("files", {}).items():
            if name == "wandb-history.jsonl":
                run.history[part["offset"] :] = [json.loads(line) for line in part["content"]]
            if name == "wandb-summary.json":
                run.summary = json.loads(part["content"][0])
        if body.get("complete"):
            run.exit_code = body["exitcode"]


def handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def body(self) -> bytes:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

        def reply(self, content: Any) -> None:
            if standin.dead.is_set():
                standin.closing.wait()
                return
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            content = self.body()
            if standin.dead.is_set():
                self.reply({})
            elif self.path == "/graphql":
                asked = json.loads(content)
                name = re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])
                answered = standin.answer(name[1] if name else "", asked.get("variables") or {}, asked["query"])
                refused = name and name[1] == standin.refused
                self.reply({"data": None, "errors": [{"message": "quota"}]} if refused else {"data": answered})
            else:
                if stream := re.fullmatch(r"/files/me/[^/]+/([^/]+)/file_stream", self.path):
                    standin.stream(stream[1], json.loads(content))
                self.reply({})

        def do_PUT(self) -> None:
            content = self.body()
            if kept := re.fullmatch(r"/keep/([^/]+)/(.*)", self.path):
                standin.runs[kept[1]].files[kept[2]] = content
            if part := re.fullmatch(r"/artifact/([^/]+)/(.*)", self.path):
                standin.artifacts[part[1]].files[part[2]] = content
            self.reply({})

        def do_GET(self) -> None:
            self.reply({})

    return Handler


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person without an account, whose wandb keeps its files in the test's own folder."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb"))


@pytest.fixture
def server(nobody: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """A stand-in for W&B, at which the person has an account."""
    with Standin() as standin:
        monkeypatch.setenv("WANDB_BASE_URL", standin.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        wandb.teardown()
        yield standin
        wandb.teardown()
        assert standin.unknown == [], "the stand-in was asked what it has no answer to"
