"""Image-text encoders of open_clip for anyanomaly."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import EncoderSpec, hookimpl

OPENCLIP = EncoderSpec(
    name="openclip",
    summary="Any open_clip model: by name and tag, hub id, folder or file",
    target="anyanomaly_openclip.encoder:OpenClipEncoder",
    options="anyanomaly_openclip.options:OpenClipOptions",
    requires=("torch>=2.4", "open_clip_torch>=3.0"),
    install="anyanomaly-openclip",
    devices=frozenset({"cpu", "cuda", "mps"}),
    memory="0.6 GB for ViT-B/32",
    licence="the model's (CLIP: MIT)",
    dense_windows=True,
)
PRESET = replace(OPENCLIP, requires=("torch>=2.4", "open_clip_torch>=3.3"))
MULTILINGUAL = replace(
    OPENCLIP,
    requires=(*PRESET.requires, "transformers>=5.0"),  # the tokenizer is one of transformers
    install="anyanomaly-openclip[multilingual]",
)


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    """Return the encoder ``openclip`` and its presets, which differ in their defaults alone."""
    return [
        OPENCLIP,
        replace(
            MULTILINGUAL,
            name="siglip2",
            summary="SigLIP 2 (base, patch 32): texts in many languages",
            options="anyanomaly_openclip.presets:SigLip2Options",
            memory="1.5 GB",
            licence="Apache-2.0",
        ),
        replace(
            PRESET,
            name="pe-core",
            summary="Perception Encoder (core, base, patch 16): texts in English",
            options="anyanomaly_openclip.presets:PeCoreOptions",
            memory="1.8 GB",
            licence="Apache-2.0",
        ),
        replace(
            PRESET,
            name="mobileclip2",
            summary="MobileCLIP 2 (S0): small and fast, texts in English",
            options="anyanomaly_openclip.presets:MobileClip2Options",
            memory="0.3 GB",
            licence="Apple research only",
        ),
        replace(
            MULTILINGUAL,
            name="metaclip2",
            summary="MetaCLIP 2 worldwide (base, patch 32): texts in many languages",
            options="anyanomaly_openclip.presets:MetaClip2Options",
            memory="2.4 GB",
            licence="CC-BY-NC-4.0, non-commercial",
        ),
    ]
