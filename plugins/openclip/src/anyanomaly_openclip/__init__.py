"""Image-text encoders of open_clip for anyanomaly."""

from anyanomaly import EncoderSpec, hookimpl


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    """Return the encoder ``openclip``."""
    return [
        EncoderSpec(
            name="openclip",
            summary="Any open_clip model: by name and tag, hub id, folder or file",
            target="anyanomaly_openclip.encoder:OpenClipEncoder",
            options="anyanomaly_openclip.options:OpenClipOptions",
            requires=("torch>=2.4", "open_clip_torch>=3.0"),
            install="anyanomaly-openclip",
            devices=frozenset({"cpu", "cuda", "mps"}),
            memory="0.6 GB for ViT-B/32",
            licence="the model's (CLIP: MIT)",
        )
    ]
