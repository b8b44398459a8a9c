"""A folder of images of a user's own, coloured shapes before dark grounds; `python tests/shapes.py FOLDER` makes it."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "square", "triangle")


def write_shapes(folder: Path, count: int = 600, side: int = 32, mode: str = "RGB", classes: int = 3) -> Path:
    """Write `count` PNG files of side x side pixels, mode RGB or L, into `classes` sub-folders; 1: into `folder`."""
    random = np.random.default_rng(0)
    for number in range(count):
        shape = SHAPES[number % classes % len(SHAPES)]
        name = shape if classes <= len(SHAPES) else f"{shape}-{number % classes:03}"
        place = folder / name if classes > 1 else folder
        place.mkdir(parents=True, exist_ok=True)
        draw_shape(shape, side, random).convert(mode).save(place / f"{number:05}.png")
    return folder


def draw_shape(shape: str, side: int, random: np.random.Generator) -> Image.Image:
    """Draw one shape of a random colour, place and size."""
    ground, colour = (tuple(map(int, random.integers(*span, 3))) for span in ((0, 80), (120, 256)))
    size = int(random.integers(side // 4, side // 2))
    left, top = (int(start) for start in random.integers(0, side - size, 2))
    box = (left, top, left + size, top + size)
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(left, box[3]), (box[2], box[3]), ((left + box[2]) // 2, top)], fill=colour)
    return image


if __name__ == "__main__":
    write_shapes(Path(sys.argv[1]))
