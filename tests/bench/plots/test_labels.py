"""Names stand beside their dots, within the room, and cover neither each other nor a dot."""

import math
from itertools import combinations

import pytest

from bench.plots.labels import REACHES, WIDTH, Box, candidates, distance, place

ROOM = Box(0, 0, 600, 400)


def test_the_shared_area_is_that_of_the_intersection() -> None:
    box = Box(0, 0, 10, 10)
    assert box.shared(box) == box.area == 100
    assert box.shared(Box(5, 8, 20, 20)) == Box(5, 8, 20, 20).shared(box) == 10
    assert box.shared(Box(10, 0, 20, 10)) == box.shared(Box(11, 11, 12, 12)) == 0


@pytest.mark.parametrize("name", ["a", "a long name"])
def test_a_candidates_box_is_as_wide_as_its_text_and_its_anchor_says_from_where(name: str) -> None:
    for label in candidates((100, 100), name, 12):
        assert label.box.right - label.box.left == pytest.approx(WIDTH * 12 * len(name))
        at = {"start": label.box.left, "end": label.box.right, "middle": (label.box.left + label.box.right) / 2}
        assert label.x == pytest.approx(at[label.anchor])
        assert label.far == (math.dist((label.x, label.y - 0.35 * 12), (100, 100)) > REACHES[1] + 1e-6)


@pytest.mark.parametrize("gap", [4, 20, 80])
def test_names_of_dots_however_near_cover_neither_each_other_nor_a_dot(gap: int) -> None:
    dots = [(300.0 + gap * math.cos(k), 200.0 + gap * math.sin(k)) for k in range(5)]
    labels = place(dots, [f"model {k}" for k in range(5)], [], ROOM, 12)
    for a, b in combinations(labels, 2):
        assert a.box.shared(b.box) == 0
    for label in labels:
        assert label.box.shared(ROOM) == pytest.approx(label.box.area)
        assert all(not (label.box.left < x < label.box.right and label.box.top < y < label.box.bottom) for x, y in dots)


def test_a_dot_alone_has_its_name_beside_it_and_one_at_the_edge_within_the_room() -> None:
    (label,) = place([(300, 200)], ["vae"], [], ROOM, 12)
    assert distance(label, (300, 200)) < REACHES[1]
    assert not label.far
    (label,) = place([(599, 399)], ["vae"], [], ROOM, 12)
    assert label.box.shared(ROOM) == pytest.approx(label.box.area)


def test_obstacles_are_avoided_where_there_is_room() -> None:
    obstacle = Box(305, 0, 600, 400)
    (label,) = place([(300, 200)], ["vae"], [obstacle], ROOM, 12)
    assert label.box.shared(obstacle) == 0
