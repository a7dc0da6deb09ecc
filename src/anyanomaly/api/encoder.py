"""The role that embeds images and texts in one space."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import Crop, FloatArray


class Encoder(Component[O_co]):
    """An image-text embedding model, such as CLIP. It needs no cache: the engine has one."""

    batch_size: int = 64  # crops that fill one forward pass
    revision: str | None = None
    """The version of the weights, for results, as `Backend.revision`."""
    image_size: int = 224
    """Side in pixels of the model's square input, right once ``load`` has returned; windows are cut in proportion."""
    dense_windows: bool = False
    """Whether it takes crops with the fit ``dense``, right once ``load`` has returned. The spec says so too."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identifies the weights and everything else that changes the vectors."""

    @abstractmethod
    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return one vector per crop, float32 (n_crops, dim), of unit length; no crops give (0, dim).

        A crop with a box has the vector of the image cut to that box. Crops may come from many frames, segments and
        videos; ``crop.fit`` says how each becomes the model's input. The crops of a frame that have the fit ``dense``
        share one pass over the frame: each gets the vector of what the model sees there. Their vectors do not depend on
        which other crops are in the call.

        :raises BackendError: when the model fails, before ``load`` for example.
        """

    @abstractmethod
    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return one vector per text, float32 (n_texts, dim); no texts give (0, dim).

        Longer texts are truncated to the context length.

        :param unit: scale vectors to unit length; False keeps the model's own length, of which the published text
            templates are the mean.
        :raises BackendError: when the model fails, before ``load`` for example.
        """
