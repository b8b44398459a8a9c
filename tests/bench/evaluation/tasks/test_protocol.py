import json
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from bench.evaluation.errors import EvaluationError
from bench.evaluation.protocol import ROW_FIELDS
from bench.evaluation.tasks.protocol import AbilityProtocol

VALUES: dict[str, Any] = {
    "ability": "encode",
    "data": "mnist",
    "test_digest": "12" * 32,
    "train_digest": "34" * 32,
    "images": 2000,
    "train_images": 10_000,
    "chunk": 250,
}
OTHER: dict[str, Any] = {  # another valid value for every field but `ability` and `precision`
    "data": "fashion_mnist",
    "test_digest": "56" * 32,
    "train_digest": "78" * 32,
    "images": 1000,
    "train_images": 5000,
    "seed": 1,
    "chunk": 100,
    "weights": "none",
}
UNTAUGHT = {"train_digest": "", "train_images": 0}


def test_from_dict_inverts_to_dict_through_json() -> None:
    protocol = AbilityProtocol.from_dict(VALUES)
    again = AbilityProtocol.from_dict(json.loads(json.dumps(protocol.to_dict())))
    assert again == protocol
    assert again.fingerprint() == protocol.fingerprint()


def test_the_fingerprint_is_the_same_on_every_machine_and_in_every_release() -> None:
    protocol = AbilityProtocol.from_dict(VALUES)
    assert (protocol.fingerprint(), protocol.setting()) == ("9520b4a3cb4e", "33ddda7cfa28")


def test_every_field_has_another_value_here() -> None:
    assert {*OTHER, "ability", "precision"} == {field.name for field in fields(AbilityProtocol)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_changes_the_fingerprint_and_all_but_the_rows_the_setting(name: str) -> None:
    protocol = AbilityProtocol.from_dict(VALUES)
    changed = AbilityProtocol.from_dict(VALUES | {name: OTHER[name]})
    assert changed.fingerprint() != protocol.fingerprint()
    assert (changed.setting() == protocol.setting()) == (name in ROW_FIELDS)


def test_no_two_abilities_share_a_column() -> None:
    names = ("reconstruct", "denoise", "bits_per_dim", "encode")
    each = [AbilityProtocol.from_dict(VALUES | UNTAUGHT | {"ability": name}) for name in names]
    assert len({protocol.setting() for protocol in each}) == len(names)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        AbilityProtocol.from_dict(VALUES).images = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": 5}, r"ability protocol key=image is unknown \(did you mean images\?\)"),
        ({"ability": ""}, "ability='' is not a name"),
        ({"images": 0}, "images=0 is not an integer of at least 1"),
        ({"images": True}, "images=True is not an integer"),
        ({"seed": "0"}, "seed='0' is not an integer of at least 0"),
        ({"chunk": 0}, "chunk=0 is not an integer of at least 1"),
        ({"data": ""}, "data='' is not a name"),
        ({"test_digest": None}, "test_digest=None is not a name"),
        ({"weights": "EMA"}, "weights=EMA is unknown"),
        ({"precision": "bfloat16"}, "the choices are float32"),
        ({"train_digest": ""}, "train_digest='' is not a digest, as train_images=10000 needs"),
        ({"train_images": 0}, "train_digest='3434.* is not empty, as train_images=0 needs"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as refusal:
        AbilityProtocol.from_dict(VALUES | change)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["ability", "data", "test_digest", "images", "chunk"])
def test_a_missing_key_is_named(name: str) -> None:
    with pytest.raises(EvaluationError, match=f"'{name}'"):
        AbilityProtocol.from_dict({key: value for key, value in VALUES.items() if key != name})
