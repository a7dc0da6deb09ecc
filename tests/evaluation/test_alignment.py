"""Labels and scores of videos whose numbers of frames differ."""

from __future__ import annotations

import math

import numpy as np

from anyanomaly.api import Options
from anyanomaly.evaluation.alignment import align
from anyanomaly.evaluation.dataset_check import check_dataset
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow
from anyanomaly.types import LabelledVideo
from tests.engine.parts import ListReader
