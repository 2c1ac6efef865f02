"""Draw the README's figure of fine-tuning: weights on data measured otherwise, with a mask they know, and after a few minutes.

    myoscope train resources/presets/training/fine-tune-without-acs.toml
    python packaging/figure_fine_tuning.py

The first command makes the weights ``crunet_mr-without-acs`` in the user's library; they never saw the slice that is shown. What is
shown and scored is the validation example of that configuration.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engine.training.config import from_values  # noqa: E402 (the checkout is not always installed)
from engine.training.loop import validate  # noqa: E402
from engine.training.presets import preset  # noqa: E402
from engine.training.setup import set_up  # noqa: E402
from engine.training.steps import predict  # noqa: E402

OUT = ROOT / "resources" / "images" / "fine-tuning.png"
FRAME = 4
HEART = (slice(21, 171), slice(60, 210))
WITHOUT = {"patterns": ["kt_uniform"], "acceleration": [4, 4], "acs": [0, 0]}
WITH = {"patterns": ["kt_uniform"], "acceleration": [8, 8], "acs": [24, 24]}
PANES = (
    ("Trained with ACS, data without", WITHOUT, "crunet_mr_zero_filled"),
    ("Trained with ACS, data with", WITH, "crunet_mr_zero_filled"),
    ("Fine-tuned, data without ACS", WITHOUT, "crunet_mr-without-acs"),
)
WHITE = 0.75  # of the truth's maximum
SIDE, MARGIN, WORDS = 300, 4, 44


def main() -> None:
    """Reconstruct, score and draw."""
    panes = []
    for title, masks, weights in PANES:
        with tempfile.TemporaryDirectory() as folder:
            truth, image, found = _validated(weights, masks, Path(folder) / "run")
        if not panes:
            panes.append(("Fully sampled", "", truth))
        panes.append((title, f"{found['psnr']:.1f} dB, SSIM {found['ssim']:.3f}", image))
        print(f"{panes[-1][0]}: {panes[-1][1]}")
    picture = np.hstack([_pane(title, words, image / WHITE) for title, words, image in panes])
    Image.fromarray(picture).save(OUT, optimize=True)


def _validated(weights: str, masks: dict[str, Any], folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Return truth and image, float32 (y, x) of one frame in units of the truth's maximum, and the scores of some weights."""
    values = dict(preset("fine-tune-without-acs").values)
    values["model"]["start"] = weights
    values["validation_masks"] = masks
    values["data"] = {**values["data"], "validation_examples": 1, "validation_columns": 0}
    state = set_up(from_values(values), folder, lambda _: None)
    scores = validate(state, lambda _: None)
    with torch.inference_mode():
        image, data = predict(state.module.eval(), state.spec, state.validation[0], "float32", stages=False)
    assert data.truth is not None
    found, truth = (one[0, FRAME].abs().numpy() for one in (image, data.truth))
    return truth / truth.max(), found / truth.max(), scores


def _pane(title: str, words: str, image: np.ndarray) -> np.ndarray:
    """Return one picture (0 to 1 is black to white) with its words below, uint8 (y, x)."""
    shown = Image.fromarray((255 * np.clip(image[HEART], 0, 1)).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pane = Image.new("L", (SIDE + 2 * MARGIN, SIDE + 2 * MARGIN + WORDS), 20)
    pane.paste(shown, (MARGIN, MARGIN))
    draw, font = ImageDraw.Draw(pane), ImageFont.load_default(15)
    draw.text((MARGIN + 2, SIDE + 2 * MARGIN), title, fill=235, font=font)
    draw.text((MARGIN + 2, SIDE + 2 * MARGIN + 20), words, fill=170, font=font)
    return np.asarray(pane)


if __name__ == "__main__":
    main()
