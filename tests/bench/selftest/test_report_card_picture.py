"""The report card is a PNG with a panel for each question."""

import io

from PIL import Image

from bench.selftest.report_card_picture import heat_map


def test_more_candidates_make_a_taller_picture() -> None:
    heights = []
    for count in (1, 4):
        rows = {f"candidate {k}": {"all cases": 0.1 * k, "blur": 0.2} for k in range(count)}
        content = heat_map({"coverage": rows, "quality": rows})
        assert content.startswith(b"\x89PNG")
        heights.append(Image.open(io.BytesIO(content)).height)
    assert heights[0] < heights[1]
