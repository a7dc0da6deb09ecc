"""Options of the data sets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.api import Options


class RootOptions(Options):
    """Where a data set is."""

    root: str = Field(default="", description="Folder that the videos' official archive was unpacked to.")
    labels: str = Field(default="", description="Folder or file of the labels, when it is not under root.")
    partial: bool = Field(default=False, description="Use what is there, although videos or labels are missing.")


class CVadOptions(RootOptions):
    """Which classes of a C-VAD set."""

    kind: Literal["single", "multiple"] = Field(
        default="single", description="Classes of one event each, or those of several events at once."
    )
    classes: tuple[str, ...] = Field(default=(), description="Classes to keep, as published; empty: all.")
    words: Literal["plain", "published"] = Field(
        default="plain", description="Event texts: 'hand truck', or as published, 'hand_truck'."
    )


class LabelledOptions(RootOptions):
    """What to search for where the labels say no more than that something happens."""

    texts: tuple[str, ...] = Field(default=(), description="Event texts; empty: the data set's own list of events.")


class SpanOptions(LabelledOptions):
    """What counts as positive where each video has a class."""

    positive: Literal["any", "class"] = Field(default="any", description="Whatever happens, or each class on its own.")


class FolderOptions(Options):
    """Where the manifest is."""

    root: str = Field(
        default="", description="Folder that paths in the manifest start from; empty: the manifest's own."
    )
    manifest: str = Field(default="", description="CSV or JSON file; empty: manifest.csv or manifest.json under root.")
    partial: bool = Field(default=False, description="Use what is there, although videos or labels are missing.")
