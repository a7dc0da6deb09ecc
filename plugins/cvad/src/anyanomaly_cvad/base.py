"""Base class of the datasets: ``videos`` yields what ``survey`` lists, and raises for its errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from anyanomaly.api import Dataset, Survey
from anyanomaly.api.component import O_co
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo


class SurveyedDataset(Dataset[O_co]):
    """A dataset that collects all its problems in ``survey``, before it yields a video."""

    @abstractmethod
    def survey(self) -> Survey:
        """Return the videos that can be used, and a finding for all that is missing or odd.

        :raises DatasetNotFound: when there are no files to look at.
        """

    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the videos of the survey, in its order.

        :raises DatasetNotFound: when the files are missing; the message says where to get them and the layout.
        :raises DatasetError: when labels and videos do not fit together.
        """
        survey = self.survey()
        errors = [finding.message for finding in survey.findings if finding.kind == "error"]
        if errors:
            more = f" And {len(errors) - 1} more; --check lists all." if len(errors) > 1 else ""
            raise DatasetError(f"{errors[0]}{more}")
        yield from survey.videos
