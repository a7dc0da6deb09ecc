"""The role that puts images and texts into one space."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import Crop, FloatArray


class Encoder(Component[O_co]):
    """An image-text embedding model (CLIP and its kin). Never caches: the engine does."""

    batch_size: int = 64  # crops that fill one forward pass

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Names the weights and all else that changes the vectors."""

    @property
    def revision(self) -> str | None:
        """The version of the weights, for results, as `Backend.revision`."""
        return None

    @abstractmethod
    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return float32 (n, dim), rows of unit length; no crops give (0, dim).

        A crop with a box gives what the cut image would give. The crops may come from many frames,
        segments and videos; ``crop.fit`` says how each becomes the model's input.
        """

    @abstractmethod
    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return float32 (n, dim); no texts give (0, dim). Too long a text is cut.

        Rows are of unit length, or with ``unit=False`` as long as the model makes them: the published
        template ensemble is the mean of those.
        """
