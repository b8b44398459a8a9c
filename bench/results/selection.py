"""Select the records that may stand in one table, and explain how to choose among those that may not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.config.load import names, read, split
from bench.config.paths import check_results
from bench.config.schema import ConfigError, check_name
from bench.evaluation.protocol import Protocol, difference
from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.results.identity import headline, identity, training_seed
from bench.results.records import BASELINE_FAMILY, EXTERNAL_FAMILY, Record, failures, find, path, read_all, run_ids
from bench.runtime.errors import InputError
from datamodules import DATAMODULES

# Settings of the evaluation by which a record's results are chosen, under an ability protocol's own names.
CHOICES = {"samples": "images", "seed": "seed", "chunk": "chunk"}
OWN_NUMBER = ("samples", "kid_subset_size")  # in which real images may differ from the rows

REFERENCES = (BASELINE_FAMILY, EXTERNAL_FAMILY)  # no runs of ours: they belong to every preset


class TableError(InputError):
    """Records that cannot stand in one table; the message says what differs and how to choose."""


def read_several(folders: Sequence[Path]) -> list[Record]:
    """Return the records of several results folders, real images of one protocol only once, those of the first folder.

    ConfigError for a folder without records, or for one run that two folders hold with different content.
    """
    found: dict[str, tuple[Path, Record]] = {}
    for folder in folders:
        records = read_all(folder)
        if not records and folder != folders[0]:
            raise ConfigError(f"--with={folder}: holds no records; name a results folder", key="--with")
        for record in records:
            place, first = found.setdefault(record.run_id, (folder, record))
            if first != record and record.family != BASELINE_FAMILY:
                raise ConfigError(
                    f"{path(place, record.run_id)} and {path(folder, record.run_id)}: one run with different content; "
                    "leave one of the folders out",
                    key="--with",
                )
    return [record for _, record in found.values()]


def select(records: Sequence[Record], wanted: Mapping[str, Any]) -> list[Record]:
    """Return the records of the wanted preset and data set, with only the results of the wanted evaluation settings."""
    return [
        narrowed(record, {key: wanted[key] for key in CHOICES if key in wanted}, str(wanted.get("protocol", "")))
        for record in records
        if wanted.get("preset", record.preset) == record.preset or record.family in REFERENCES
        if wanted.get("data", record.config["data"]["name"]) == record.config["data"]["name"]
    ]


def table_selection(overrides: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """Parse the words of `bench table` into the results folder and the wanted selection.

    The folder is the preset's own unless results=DIR names one.
    """
    picks, rest = split(overrides)
    settings = rest.pop("evaluation", {})
    given = [f"evaluation.{key}" for key in settings] if isinstance(settings, dict) else ["evaluation"]
    allowed = ("preset", "data", "results", "protocol", *(f"evaluation.{key}" for key in CHOICES))
    if wrong := [key for key in [*picks, *rest, *given] if key not in allowed]:
        raise ConfigError(f"{wrong[0]}: `bench table` takes {', '.join(allowed)} only")
    if "preset" in picks:
        check_name("preset", picks["preset"], names("preset"))
    usual = read("", "default") | (read("preset", picks["preset"]) if "preset" in picks else {})
    results = check_results(Path(rest.get("results", usual["results"])))
    if "data" in picks and picks["data"] not in DATAMODULES:  # a data set of the user's own is known from its records
        own = {record.config["data"]["name"] for record in read_all(results)} - {*DATAMODULES}
        check_name("data", picks["data"], [*DATAMODULES, *sorted(own)])
    return results, picks | settings | {key: str(rest[key]) for key in ("protocol",) if key in rest}


def narrowed(record: Record, settings: Mapping[str, int], setting: str = "") -> Record:
    """Return the record with only the results and abilities that were measured under these settings.

    setting: prefix of a protocol's `setting()`; it applies to the results only.
    """
    results = {
        key: result
        for key, result in record.results.items()
        if all(result.protocol[name] == value for name, value in settings.items())
        and Protocol.from_dict(result.protocol).setting().startswith(setting)
    }
    abilities = {
        key: ability
        for key, ability in record.abilities.items()
        if all(ability.protocol[CHOICES[name]] == value for name, value in settings.items())
    }
    return record.model_copy(update={"results": results, "abilities": abilities})


def comparable(records: Sequence[Record], folder: Path) -> tuple[list[Record], list[Record], list[str]]:
    """Return the runs, the references measured under their protocol, and the excluded external images with reasons.

    TableError if the runs do not compare.
    """
    runs = [record for record in records if record.family not in REFERENCES and record.results]
    if not runs:
        raise TableError(f"{folder}/records: no evaluated runs of this preset and data set; run `bench train` first")
    if len({stamp(record) for record in runs}) > 1:  # a stamp says what its figures are worth
        same("preset", [record.preset for record in runs], "preset={}")
    same("data", [record.config["data"]["name"] for record in runs], "data={}")
    once_each(runs, folder)
    one_headline(runs, folder)
    setting = one_protocol("results", protocols(runs))
    ability_settings = {
        name: one_protocol(name, [stated for stated in ability_protocols(runs) if stated.ability == name])
        for name in {stated.ability for stated in ability_protocols(runs)}
    }
    known = {setting.setting(), *(stated.setting() for stated in ability_settings.values())}
    data = runs[0].config["data"]["name"]
    references = [record for record in records if record.family in REFERENCES and record.config["data"]["name"] == data]
    candidates = [own_number(record, setting) or only(record, known) for record in references]
    left_out = [
        f"{record.config['model']['name']} ({', '.join(differences(setting, record))})"
        for record, rest in zip(references, candidates, strict=True)
        if record.family == EXTERNAL_FAMILY and not rest.results
    ]
    return runs, candidates, left_out


def stamp(record: Record) -> str:
    """Return the words that stand over a table of the record's preset; "" for most presets."""
    return str(record.config.get("stamp", ""))


def presets(runs: Sequence[Record]) -> str:
    """Return the names of the runs' presets, joined."""
    return "+".join(sorted({run.preset for run in runs}))


def once_each(runs: Sequence[Record], folder: Path) -> None:
    """Raise TableError if two records are of one training: its figures would count as those of two seeds."""
    firsts: dict[tuple[str, int | None], Record] = {}
    for run in runs:
        first = firsts.setdefault((identity(run), training_seed(run)), run)
        if first is not run:
            files = " and ".join(str(path(folder, record.run_id)) for record in (first, run))
            raise TableError(f"{files}: the same run twice (equal settings and seed); move one of them away to go on")


def one_headline(runs: Sequence[Record], folder: Path) -> None:
    """Raise TableError unless each run of several samplers, and all seeds of a model, name one headline sampler."""
    named: dict[str, Record] = {}
    for run in runs:
        sampler, file = headline(run), path(folder, run.run_id)
        if sampler is None:
            known = ", ".join(run.config["samplers"])
            raise TableError(f'{file}: names no headline sampler; add "headline" to its config, one of {known}')
        first = named.setdefault(identity(run), run)
        if headline(first) != sampler:
            raise TableError(
                f"{path(folder, first.run_id)} and {file}: seeds of one model with the headline samplers "
                f"{headline(first)} and {sampler}; set both to one of them"
            )


def own_number(record: Record, setting: Protocol) -> Record | None:
    """Return real images measured with fewer samples than the rows, at the nearest number; None in any other case.

    A data set may hold fewer images than a row is evaluated on.
    """
    protocol_of = {key: Protocol.from_dict(result.protocol) for key, result in record.results.items()}
    if record.family != BASELINE_FAMILY or any(
        protocol.setting() == setting.setting() for protocol in protocol_of.values()
    ):
        return None
    fewer = {
        key: protocol.samples
        for key, protocol in protocol_of.items()
        if protocol.samples < setting.samples
        and all(text.partition(":")[0] in OWN_NUMBER for text in difference(setting, protocol))
    }
    if not fewer:
        return None
    nearest = max(fewer, key=lambda key: fewer[key])
    return record.model_copy(update={"results": {nearest: record.results[nearest]}})


def differences(setting: Protocol, record: Record) -> list[str]:
    """Return the protocol fields in which a record differs; one generic reason if none of its results is selected."""
    return difference(setting, protocols([record])[0]) if record.results else ["other evaluation settings"]


def only(record: Record, settings: set[str]) -> Record:
    """Return the record with only the results and abilities measured under one of these settings."""
    results = {k: r for k, r in record.results.items() if Protocol.from_dict(r.protocol).setting() in settings}
    abilities = {
        k: a for k, a in record.abilities.items() if AbilityProtocol.from_dict(a.protocol).setting() in settings
    }
    return record.model_copy(update={"results": results, "abilities": abilities})


def protocols(runs: Sequence[Record]) -> list[Protocol]:
    return [Protocol.from_dict(result.protocol) for record in runs for result in record.results.values()]


def ability_protocols(runs: Sequence[Record]) -> list[AbilityProtocol]:
    return [AbilityProtocol.from_dict(ability.protocol) for record in runs for ability in record.abilities.values()]


def one_protocol(what: str, stated: Sequence[Any]) -> Any:
    """Return the first protocol; TableError if another one has a different setting."""
    for other in stated[1:]:
        if other.setting() != stated[0].setting():
            differ = difference(stated[0], other)
            values = [protocol.to_dict() for protocol in (stated[0], other)]
            options = [
                f"evaluation.{name}={value[key]}"
                for name, own in CHOICES.items()
                for key in {name, own} & values[0].keys()
                if values[0][key] != values[1][key]
                for value in values
            ]
            if not options and isinstance(other, Protocol):
                options = [f"protocol={protocol.setting()}" for protocol in (stated[0], other)]
            choose = f"choose with {' or '.join(options)}" if options else "use another results=DIR for one of them"
            raise TableError(f"{what} of two protocols: {'; '.join(differ)}; a table holds one: {choose}")
    return stated[0]


def same(what: str, values: Sequence[str], choose: str) -> None:
    """Raise TableError if records differ in `what`, and say how to choose among them."""
    if len(distinct := sorted(set(values))) > 1:
        options = " or ".join(choose.format(value) for value in distinct)
        raise TableError(f"{what} differs between records: {', '.join(distinct)}; choose one with {options}")


def describe(machine: dict[str, Any]) -> str:
    """Describe a machine by what a timing depends on."""
    jobs = f", {machine['jobs']} runs at once" if machine["jobs"] > 1 else ""
    return f"{machine['gpu'] or machine['cpu']}, {machine['threads']} CPU threads{jobs}"


def recorded(run: str, results: Path) -> Record:
    """Return the record of a run; otherwise raise a ConfigError with the cause of its failure or the known runs."""
    if record := find(results, run):
        return record
    for failure in failures(results):
        if failure.run_id == run:
            raise ConfigError(f"{run}: no figures, because the run failed: {failure.cause}")
    known = run_ids(results)
    if not known:
        raise ConfigError(f"run={run}: no records in {results}/records; name another folder with results=DIR")
    check_name("run", run, known)
    raise AssertionError
