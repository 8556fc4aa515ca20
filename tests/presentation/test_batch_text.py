"""The texts about a batch."""

import pytest

from comfytui.presentation.batch_text import batch_figures
from comfytui.session.progress import BatchProgress, Stage


@pytest.mark.parametrize(
    ("elapsed", "shown"),
    [(5.0, "0:05 elapsed  starts in 0:12-0:18"), (6_000.0, "starts in 0:12-0:18"), (0.0, "starts in 0:12-0:18")],
)
def test_the_time_to_come_is_never_cut_and_the_elapsed_time_is_shown_where_both_fit(elapsed: float, shown: str) -> None:
    progress = BatchProgress(Stage.QUEUED, 1, 2, batch_elapsed=elapsed, starts_in=(12.0, 18.0), waits_for_others=True)
    assert batch_figures(progress, 33) == shown
