"""The noise levels at which a sampler is guided (Kynkäänniemi et al. 2024, arXiv:2404.07724)."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class GuidanceInterval:
    """Guide at noise levels sigma above guided_from and up to guided_to; None: no limit. sigma: noise over signal."""

    guided_from: float | None = None
    guided_to: float | None = None

    @property
    def limited(self) -> bool:
        return self.guided_from is not None or self.guided_to is not None

    def __contains__(self, sigma: float) -> bool:
        return (self.guided_from or 0.0) < sigma <= (self.guided_to or math.inf)

    def check(self, guidance: float | None) -> None:
        """Raise ValueError for limits without guidance (None or 0), or in the wrong order."""
        for name, sigma in (("guided_from", self.guided_from), ("guided_to", self.guided_to)):
            if sigma is not None and not guidance:
                raise ValueError(f"{name}={sigma:g}: there is no guidance to limit; set label_guidance above 0 as well")
        if self.guided_from and self.guided_to and self.guided_from >= self.guided_to:
            raise ValueError(f"guided_from={self.guided_from:g}: must be below guided_to={self.guided_to:g}")
