"""Draw the report card: candidates by planted cases, coloured by reading error."""

import io
from collections.abc import Mapping

import numpy as np

LIGHT = (0.03, 0.29)  # errors whose colour is light enough for black text
BLIND = 0.35  # error at the end of the colour scale: about that of a measure that does not depend on the ladder


def heat_map(errors: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bytes:
    """Draw question -> candidate -> score and cases -> reading error as a PNG: a panel a question, the best on top."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    height = sum(0.27 * len(rows) + 2.2 for rows in errors.values())
    picture, panels = pyplot.subplots(len(errors), 1, figsize=(12, height), constrained_layout=True)
    for axes, (question, rows) in zip(panels, errors.items(), strict=True):
        columns = list(next(iter(rows.values())))
        values = np.array([list(row.values()) for row in rows.values()])
        image = axes.imshow(values, cmap="RdYlGn_r", vmin=0, vmax=BLIND, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, fontsize=7.5, rotation=40, ha="right")
        axes.set_yticks(range(len(rows)), list(rows), fontsize=9)
        for i, j in np.ndindex(values.shape):
            dark = not LIGHT[0] < values[i, j] < LIGHT[1]
            colour = "white" if dark else "black"
            axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=7.5, color=colour)
        axes.axvline(0.5, color="black", linewidth=1.5)
        axes.set_title(f"Error of the planted {question} that is read off each measure", fontsize=11, loc="left")
        picture.colorbar(image, ax=axes, label="reading error, 0 to 1", pad=0.01)
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=110)
    pyplot.close(picture)
    return content.getvalue()
