"""The settings of a flow's sampler, as YAML files and protocols hold them."""

from dataclasses import dataclass

from torch import Tensor

from models.flows.solvers import Method, evaluated
from models.guidance_interval import GuidanceInterval


@dataclass(frozen=True)
class FlowSettings:
    """A method and its number of even steps from t = 1 to t = 0.

    label_guidance: w of a velocity for given labels against one without (None: 0). guided_from, guided_to: guide at
    noise levels sigma = t / (1 - t) above the first and up to the second only. A guided evaluation counts twice.
    """

    method: Method = "euler"
    steps: int = 20
    label_guidance: float | None = None
    guided_from: float | None = None
    guided_to: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for limits of a guidance that is not there, or in the wrong order."""
        self.interval.check(self.label_guidance)

    @property
    def interval(self) -> GuidanceInterval:
        return GuidanceInterval(self.guided_from, self.guided_to)

    def passes(self) -> int:
        """Return the number of the network's evaluations of each image."""
        times = evaluated(self.method, self.steps)
        return sum(2 if self.label_guidance and sigma(t) in self.interval else 1 for t in times)

    def guided(self, t: Tensor) -> bool:
        """Return whether the times of a batch, N equal ones, lie in the interval of guidance."""
        return not self.interval.limited or sigma(float(t[0])) in self.interval


def sigma(t: float) -> float:
    """Return noise over signal at the time t of the straight path."""
    return t / (1 - t) if t < 1 else float("inf")
