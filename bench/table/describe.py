"""Describe a record: what the run was, what it cost, and under which protocols it was measured."""

from typing import Any

from bench.evaluation.protocol import Protocol
from bench.results.records import BASELINE_FAMILY, Record
from bench.results.selection import describe
from bench.table.rules import BEYOND, FAMILIES, REFERENCE

PAGES = FAMILIES | BEYOND | REFERENCE | {BASELINE_FAMILY: "references"}


def settings(record: Record) -> dict[str, str]:
    """Return `setting()` -> description of every protocol under which the record's samples were measured."""
    protocols = [Protocol.from_dict(result.protocol) for result in record.results.values()]
    return {protocol.setting(): protocol.line() for protocol in protocols}


def facts(record: Record) -> dict[str, str]:
    """Return what the run was and what it cost, as name -> text."""
    config = record.config
    facts = {
        "model": f"{config['model']['name']} ({PAGES.get(record.family, record.family)})",
        "settings": ", ".join(f"{key} {value}" for key, value in config["model"].items() if key != "name"),
        "data": f"{config['data']['name']}, training images sha {record.data_digest[:8]}",
        "preset": " – ".join(filter(None, (record.preset, config.get("stamp", "")))),
        "code": f"{record.code['commit'][:12]}{code_state(record.code)}; "
        + ", ".join(f"{name} {version}" for name, version in record.libraries.items()),
    }
    for kind, plugin in config.get("plugins", {}).items():  # without its place, which may name somebody's home
        digests = ", ".join(f"{name} sha {digest[:8]}" for name, digest in plugin["sources"].items())
        facts[f"{kind}'s source"] = f"{plugin['place'].rpartition(':')[2]} of {digests}"
    if record.images_seen:
        processes = record.hardware["processes"]
        facts["training"] = (
            f"{record.images_seen:,} images in batches of {config['train']['batch']}, seed {config['seed']}: "
            f"{record.train_seconds / 60:.1f} min on {describe(record.hardware)}"
            f"{f', {processes} processes' if processes > 1 else ''}, {record.precision}"
        )
        sampling = f"{record.sampling_parameters / 1e6:.2f} M"
        facts["weights"] = f"{record.parameters / 1e6:.2f} M, {sampling} of them used for sampling"
    return {name: text for name, text in facts.items() if text}


def code_state(code: dict[str, Any]) -> str:
    """Describe whether the code had uncommitted changes, and earlier commits; empty for one clean commit."""
    changes = {True: "", False: ", with uncommitted changes", None: ", changes unknown"}[code["clean"]]
    before = {stretch["code"]["commit"][:12]: None for stretch in code.get("earlier", ())}
    commits = ", ".join(commit for commit in before if not code["commit"].startswith(commit))
    return changes + (f" (begun by {commits})" if commits else "")
