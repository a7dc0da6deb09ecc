"""Base classes for plugin authors: one role per module."""

from anyanomaly.api.activity import Activity
from anyanomaly.api.backend import Backend
from anyanomaly.api.component import Component
from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.dataset import Dataset, Finding, Survey
from anyanomaly.api.downloads import Download
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.selector import Selector
from anyanomaly.api.sink import RunEnd, Sink, SinkOptions

__all__ = [
    "Activity",
    "Backend",
    "Component",
    "ContextGenerator",
    "ContextOptions",
    "Dataset",
    "Download",
    "Encoder",
    "Finding",
    "Gate",
    "Options",
    "Reader",
    "RunEnd",
    "SafeFile",
    "Selector",
    "Sink",
    "SinkOptions",
    "Survey",
]
