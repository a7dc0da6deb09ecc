"""Options of the presets: they differ from those of the encoder ``openclip`` in their defaults alone.

The published method does not normalise windows, which fits CLIP's parity with it and no other model; here windows get
the mean and std that the model was trained with.
"""

from __future__ import annotations

from pydantic import Field

from anyanomaly_openclip.options import OpenClipOptions

MODEL = "Another model of this kind, hf-hub:ORG/REPO, or a folder with open_clip_config.json."
TAG = "Tag of the weights of a named model, or a file of weights."
NORMALIZE = "Apply the model's mean and std to windows too."


class SigLip2Options(OpenClipOptions):
    """SigLIP 2, base size, patches of 32 pixels, input of 256."""

    model: str = Field(default="ViT-B-32-SigLIP2-256", description=MODEL)
    pretrained: str = Field(default="webli", description=TAG)
    normalize_windows: bool = Field(default=True, description=NORMALIZE)


class PeCoreOptions(OpenClipOptions):
    """Perception Encoder (core), base size, patches of 16 pixels, input of 224."""

    model: str = Field(default="PE-Core-B-16", description=MODEL)
    pretrained: str = Field(default="meta", description=TAG)
    normalize_windows: bool = Field(default=True, description=NORMALIZE)


class MobileClip2Options(OpenClipOptions):
    """MobileCLIP 2, size S0, input of 256."""

    model: str = Field(default="MobileCLIP2-S0", description=MODEL)
    pretrained: str = Field(default="dfndr2b", description=TAG)
    normalize_windows: bool = Field(default=True, description=NORMALIZE)


class MetaClip2Options(OpenClipOptions):
    """MetaCLIP 2, base size, patches of 32 pixels, input of 224."""

    model: str = Field(default="hf-hub:facebook/metaclip-2-worldwide-b32", description=MODEL)
    pretrained: str = Field(default="metaclip2_worldwide", description=TAG)
    normalize_windows: bool = Field(default=True, description=NORMALIZE)
