"""The backends ``llava-pp``, ``llava`` and ``video-chatgpt``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixBackend, PrefixModel

from anyanomaly_llavapp.model import load_llava
from anyanomaly_llavapp.options import LlavaOptions, LlavaPpOptions, VideoChatGptOptions
from anyanomaly_llavapp.profiles import LLAVA, LLAVA_PP, VIDEO_CHATGPT
from anyanomaly_llavapp.video_model import VideoChatGptModel


class LlavaBackend(PrefixBackend[LlavaOptions]):
    """LLaVA-1.5, in the original layout or that of transformers."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        return load_llava(self.options, LLAVA[self.options.profile])


class LlavaPpBackend(PrefixBackend[LlavaPpOptions]):
    """LLaVA++ with LLaMA-3."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        return load_llava(self.options, LLAVA_PP[self.options.profile])


class VideoChatGptBackend(PrefixBackend[VideoChatGptOptions]):
    """Video-ChatGPT; the images of a query are the frames of a video."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        return VideoChatGptModel(self.options, VIDEO_CHATGPT[self.options.profile])
