import json
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from bench.evaluation.errors import EvaluationError
from bench.evaluation.protocol import ROW_FIELDS, Protocol, difference

VALUES: dict[str, Any] = {
    "data": "mnist",
    "extractor": "mnist-cnn",
    "extractor_digest": "ab" * 32,
    "reference_digest": "12" * 32,
    "samples": 2000,
    "chunk": 500,
    "sampler": "ddim",
    "sampler_settings": {"steps": 50, "eta": 0.0},
}
OTHER: dict[str, Any] = {  # another valid value for every field
    "data": "fashion_mnist",
    "extractor": "inception-v3",
    "extractor_digest": "cd" * 32,
    "reference": "test",
    "reference_digest": "34" * 32,
    "samples": 3000,
    "seed": 1,
    "chunk": 100,
    "subsets": 4,
    "prc_neighbours": 5,
    "dc_neighbours": 3,
    "kid_subsets": 10,
    "kid_subset_size": 500,
    "weights": "raw",
    "sampler": "ancestral",
    "sampler_settings": {"steps": 20, "eta": 0.0},
    "precision": "bfloat16",
    "held_out_digest": "56" * 32,
    "quantisation": "none",
    "cells": 5,
    "mode_count": 12,
    "modes": "10 classes",
}


@pytest.fixture
def protocol() -> Protocol:
    return Protocol.from_dict(VALUES)


def test_from_dict_inverts_to_dict_through_json(protocol: Protocol) -> None:
    again = Protocol.from_dict(json.loads(json.dumps(protocol.to_dict())))
    assert again == protocol
    assert again.fingerprint() == protocol.fingerprint()


def test_the_fingerprint_is_the_same_on_every_machine_and_in_every_release(protocol: Protocol) -> None:
    assert (protocol.fingerprint(), protocol.setting()) == ("239864b85726", "1d68aebee89c")


def test_order_of_sampler_settings_does_not_matter(protocol: Protocol) -> None:
    swapped = Protocol.from_dict(VALUES | {"sampler_settings": {"eta": 0.0, "steps": 50}})
    assert swapped == protocol
    assert hash(swapped) == hash(protocol)


def test_every_field_has_another_value_to_be_tested_with() -> None:
    assert set(OTHER) == {field.name for field in fields(Protocol)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_moves_the_fingerprint_and_all_but_the_rows_own_move_the_setting(
    name: str,
) -> None:
    protocol = Protocol.from_dict(VALUES)
    changed = Protocol.from_dict(protocol.to_dict() | {name: OTHER[name]})
    assert changed.fingerprint() != protocol.fingerprint()
    assert (changed.setting() == protocol.setting()) == (name in ROW_FIELDS)
    assert difference(protocol, changed) == (
        [] if name in ROW_FIELDS else [f"{name}: {protocol.to_dict()[name]} vs {OTHER[name]}"]
    )


def test_kid_subsets_are_never_larger_than_the_samples() -> None:
    assert Protocol.from_dict(VALUES).kid_subset_size == 1000
    assert Protocol.from_dict(VALUES | {"samples": 100}).kid_subset_size == 100


def test_line_says_what_a_reader_needs(protocol: Protocol) -> None:
    line = protocol.line()
    for part in ("2,000 samples", "seed 0", "8-bit", "mnist/train", "12121212", "mnist-cnn", "abababab", "k = 3"):
        assert part in line


def test_it_cannot_be_changed(protocol: Protocol) -> None:
    with pytest.raises(FrozenInstanceError):
        protocol.samples = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": 5}, r"protocol key=sample is unknown \(did you mean samples\?\)"),
        ({"samples": "2000"}, "samples='2000' is not an integer of at least 2"),
        ({"samples": True}, "samples=True is not an integer"),
        ({"samples": 5}, "samples=5 are too few for k=5"),
        ({"samples": 600, "kid_subset_size": 1000}, "kid_subset_size=1000 is not from 2 to samples=600"),
        ({"kid_subset_size": 1}, "kid_subset_size=1 is not from 2 to samples=2000"),
        ({"chunk": 0}, "chunk=0 is not an integer of at least 1"),
        ({"weights": "EMA"}, "weights=EMA is unknown.* the choices are ema, none, raw"),
        ({"precision": "float16"}, "the choices are bfloat16, float32"),
        ({"quantisation": "float"}, "the choices are none, uint8"),
        ({"data": ""}, "data='' is not a name"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message) as refusal:
        Protocol.from_dict(VALUES | change)
    assert "\n" not in str(refusal.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(EvaluationError, match="reference_digest"):
        Protocol.from_dict({key: value for key, value in VALUES.items() if key != "reference_digest"})


def test_the_line_says_that_random_weights_see_no_objects() -> None:
    values = {"data": "d", "extractor_digest": "e" * 64, "reference_digest": "r" * 64, "samples": 20, "chunk": 10}
    random, trained = (Protocol(extractor=name, **values).line() for name in ("random-network", "d-cnn"))  # type: ignore[arg-type]
    assert "in random-network features (sha eeeeeeee; random weights, which see no objects)" in random
    assert "in d-cnn features (sha eeeeeeee)" in trained
