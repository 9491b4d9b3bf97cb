"""What the loop asks of a task; it knows nothing else of what is being trained."""

from pathlib import Path
from typing import Protocol

from PIL.Image import Image
from torch import Tensor, nn

from mezzotint.training.draw import Draw

Batch = dict[str, Tensor]
Metrics = dict[str, Tensor]


class Task(Protocol):
    """One network and how to train it.

    The loop calls ``validate``, ``grid`` and ``export`` without gradients, in evaluation mode and
    with the averaged weights in place.
    """

    @property
    def network(self) -> nn.Module:
        """Every weight that is trained."""
        ...

    def batch(self, draw: Draw) -> Batch:
        """This process's rows of the batch of a step, on the host."""
        ...

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The loss, and scalars worth logging, neither brought to the host."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on held-out data, the same draws every time."""
        ...

    def grid(self) -> Image:
        """A picture to look at."""
        ...

    def export(self, folder: Path) -> None:
        """Write the finished network into an empty folder."""
        ...
