"""The role that gives videos with labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import LabelledVideo


class Dataset(Component[O_co]):
    """A labelled data set."""

    @abstractmethod
    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the videos; iterating twice gives the same.

        :raises DatasetNotFound: when the files are missing, with where to get them and the layout expected.
        :raises DatasetError: when labels and videos do not fit.
        """
