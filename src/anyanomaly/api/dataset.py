"""The role that gives videos with labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import LabelledVideo


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a data set that its user should know."""

    kind: Literal["error", "note"]  # an error keeps the data set from being used as it is
    about: str  # a video, a class or a file
    message: str  # one sentence


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there of a data set, and what is missing or odd."""

    videos: tuple[LabelledVideo, ...]
    findings: tuple[Finding, ...] = ()


class Dataset(Component[O_co]):
    """A labelled data set."""

    @abstractmethod
    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the videos; iterating twice gives the same.

        :raises DatasetNotFound: when the files are missing, with where to get them and the layout expected.
        :raises DatasetError: when labels and videos do not fit.
        """

    def survey(self) -> Survey:
        """Say what is there, and all that is missing or odd, where ``videos`` raises for the first of it.

        :raises DatasetNotFound: when there is nothing to look at.
        """
        return Survey(tuple(self.videos()))
