"""ImageBind's image and text towers as an encoder for anyanomaly."""

from anyanomaly import EncoderSpec, hookimpl


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    """Return the encoder ``imagebind``."""
    return [
        EncoderSpec(
            name="imagebind",
            summary="ImageBind (huge), image and text",
            target="anyanomaly_imagebind.encoder:ImageBindEncoder",
            options="anyanomaly_imagebind.options:ImageBindOptions",
            requires=("anyanomaly-openclip", "torch>=2.4", "open_clip_torch>=3.0"),
            install="anyanomaly-imagebind",
            licence="non-commercial",
            memory="about 4 GB",
            devices=frozenset({"cpu", "cuda", "mps"}),
            dense_windows=True,
        )
    ]
