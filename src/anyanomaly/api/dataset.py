"""The role that provides videos with labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import LabelledVideo


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a dataset, or a fact that its user should know."""

    kind: Literal["error", "note"]  # with an error the dataset cannot be used as it is
    about: str  # a video, a class or a file
    message: str  # one sentence


@dataclass(frozen=True, slots=True)
class Survey:
    """The videos of a dataset, and all problems with it."""

    videos: tuple[LabelledVideo, ...]
    findings: tuple[Finding, ...] = ()
    labels: str = ""  # which labels are used, where several are published; empty: there is one kind


class Dataset(Component[O_co]):
    """A labelled dataset."""

    @abstractmethod
    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the videos, the same in every iteration.

        :raises DatasetNotFound: when files are missing; the message says where to get them and how to lay them out.
        :raises DatasetError: when labels and videos do not match.
        """

    def survey(self) -> Survey:
        """Return the videos with all problems, where ``videos`` raises for the first one.

        :raises DatasetNotFound: when there are no files.
        :raises DatasetError: when the labels cannot be read at all.
        """
        return Survey(tuple(self.videos()))
