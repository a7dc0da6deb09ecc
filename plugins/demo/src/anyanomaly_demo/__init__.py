"""Made scenes with ground truth, and what is trained on them, for anyanomaly."""

from anyanomaly import DatasetSpec, hookimpl


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    """Made clips with labels per frame."""
    return [
        DatasetSpec(
            name="demo",
            summary="Made clips of a fixed camera: appearance and action events, labelled per frame",
            target="anyanomaly_demo.dataset:DemoDataset",
            options="anyanomaly_demo.options:DemoDatasetOptions",
            requires=("h5py>=3.10",),
            install="pip install anyanomaly-demo",
        )
    ]
