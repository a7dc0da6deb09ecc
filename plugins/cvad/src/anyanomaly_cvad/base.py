"""What the data sets share: ``videos`` from a survey, refused while something does not fit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from anyanomaly.api import Dataset, Survey
from anyanomaly.api.component import O_co
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo


class SurveyedDataset(Dataset[O_co]):
    """A data set that says all that does not fit before it gives a video."""

    @abstractmethod
    def survey(self) -> Survey:
        """Say what is there, and what is missing or odd."""

    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the videos in order of name.

        :raises DatasetNotFound: when the files are missing, with where to get them and the layout expected.
        :raises DatasetError: when labels and videos do not fit.
        """
        survey = self.survey()
        errors = [finding.message for finding in survey.findings if finding.kind == "error"]
        if errors:
            more = f" And {len(errors) - 1} more; --check lists all." if len(errors) > 1 else ""
            raise DatasetError(f"{errors[0]}{more}")
        yield from survey.videos
