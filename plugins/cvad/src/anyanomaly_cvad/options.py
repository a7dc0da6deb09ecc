"""Options of the datasets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.api import Options

_PARTIAL = "Use the videos that have labels, and skip missing videos and labels."


class RootOptions(Options):
    """Location of a published dataset."""

    root: str = Field(default="", description="Folder into which the official archive of the videos was unpacked.")
    labels: str = Field(default="", description="Folder or file of the labels, when it is not under root.")
    partial: bool = Field(default=False, description=_PARTIAL)


class CVadOptions(RootOptions):
    """Classes of a C-VAD dataset."""

    kind: Literal["single", "multiple"] = Field(
        default="single", description="Classes of a single event each, or of several events at the same time."
    )
    classes: tuple[str, ...] = Field(default=(), description="Classes to use, by their published names; empty: all.")
    words: Literal["plain", "published"] = Field(
        default="plain", description="Event texts: plain ('hand truck') or as published ('hand_truck')."
    )


class LabelledOptions(RootOptions):
    """Event texts of a dataset whose labels do not name the event."""

    texts: tuple[str, ...] = Field(default=(), description="Event texts; empty: the dataset's own list of events.")


class SpanOptions(LabelledOptions):
    """Choice of the positive class in a dataset whose videos have classes."""

    positive: Literal["any", "class"] = Field(
        default="any", description="any: all events are one class; class: each class is measured separately."
    )


class FolderOptions(Options):
    """Location of a manifest and its videos."""

    root: str = Field(
        default="", description="Folder to which paths in the manifest are relative; empty: the manifest's folder."
    )
    manifest: str = Field(default="", description="CSV or JSON file; empty: manifest.csv or manifest.json under root.")
    partial: bool = Field(default=False, description=_PARTIAL)
