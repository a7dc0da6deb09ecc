"""Labelled datasets for anyanomaly: the published ones, and videos of your own with a manifest."""

from __future__ import annotations

from anyanomaly import DatasetSpec, hookimpl

_DATASETS = (
    ("c-avenue", "Avenue with labels per class (C-VAD)", "c_vad:CAvenue", "CVadOptions"),
    ("c-shanghaitech", "ShanghaiTech with labels per class (C-VAD)", "c_vad:CShanghaiTech", "CVadOptions"),
    ("avenue", "CUHK Avenue, one label per frame", "masks:Avenue", "LabelledOptions"),
    ("shanghaitech", "ShanghaiTech Campus, one label per frame", "masks:ShanghaiTech", "LabelledOptions"),
    ("ubnormal", "UBnormal's test set, spans", "annotations:UBnormal", "LabelledOptions"),
    ("ucf-crime", "UCF-Crime's test set, spans", "annotations:UcfCrime", "SpanOptions"),
    ("xd-violence", "XD-Violence's test set, spans", "annotations:XdViolence", "SpanOptions"),
    ("folder", "Videos of your own, with a manifest: video, text, labels", "manifest:Folder", "FolderOptions"),
)


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    """Return the datasets of the published comparison, and ``folder`` for the user's own videos."""
    return [
        DatasetSpec(
            name=name,
            summary=summary,
            target=f"anyanomaly_cvad.{target}",
            options=f"anyanomaly_cvad.options:{options}",
            requires=("h5py>=3.10", "scipy>=1.11"),
            install="anyanomaly-cvad",
        )
        for name, summary, target, options in _DATASETS
    ]
