"""Names beside the dots of a chart, placed so that none covers another where there is room."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 0.62  # of a character, in units of the font's size; few fonts are wider on average
ANGLES = 16
REACHES = (13, 19, 27, 37, 50, 66, 84)  # pixels from a dot's centre to its name


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: "Box") -> float:
        """The area that both cover, in square pixels."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True)
class Label:
    """A text's place: x of its anchor, y of its baseline; `far` where a line must lead to its dot."""

    x: float
    y: float
    anchor: str
    far: bool
    box: Box


def place(dots: Sequence[tuple[float, float]], names: Sequence[str], obstacles: Sequence[Box], room: Box,
          size: float) -> list[Label]:  # fmt: skip
    """A label for each dot, in their order; a second round lets the first ones make way for the later ones."""
    around = [Box(x - 8, y - 8, x + 8, y + 8) for x, y in dots]
    placed: dict[int, Label] = {}
    for _ in range(2):
        for k, (dot, name) in enumerate(zip(dots, names, strict=True)):
            others = [*around, *(label.box for j, label in placed.items() if j != k)]
            placed[k] = cheapest(dot, name, size, others, obstacles, room)
    return [placed[k] for k in range(len(dots))]


def cheapest(
    dot: tuple[float, float], name: str, size: float, others: Sequence[Box], obstacles: Sequence[Box], room: Box
) -> Label:
    """The first candidate of least cost; one that is farther away than the best so far costs is not looked at."""
    choice, least = None, math.inf
    for label in candidates(dot, name, size):
        if distance(label, dot) < least and (total := cost(label, dot, others, obstacles, room)) < least:
            choice, least = label, total
    assert choice is not None
    return choice


def candidates(dot: tuple[float, float], name: str, size: float) -> Iterator[Label]:
    """Places around a dot, near ones first, to its right first."""
    wide = WIDTH * size * len(name)
    for reach in REACHES:
        for step in range(ANGLES):
            angle = 2 * math.pi * step / ANGLES
            x, y = dot[0] + reach * math.cos(angle), dot[1] + reach * math.sin(angle) + 0.35 * size
            anchor = "start" if math.cos(angle) > 0.3 else "end" if math.cos(angle) < -0.3 else "middle"
            left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
            yield Label(x, y, anchor, reach > REACHES[1], Box(left, y - 0.85 * size, left + wide, y + 0.25 * size))


def cost(label: Label, dot: tuple[float, float], others: Sequence[Box], obstacles: Sequence[Box], room: Box) -> float:
    """What speaks against a place: covering names and dots, leaving the chart, crossing lines, being far."""
    covered = sum(label.box.shared(box) for box in others)
    crossed = sum(label.box.shared(box) for box in obstacles)
    outside = label.box.area - label.box.shared(room)
    return 10 * covered + 4 * crossed + 20 * outside + distance(label, dot)


def distance(label: Label, dot: tuple[float, float]) -> float:
    """Pixels from a dot's centre to a label's anchor."""
    return math.dist(dot, (label.x, label.y - 4))
