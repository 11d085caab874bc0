"""Progress of a batch run: something from the first second on, and no control characters in a file."""

import io
import threading

from trivium.runtimes.batch.progress import Bar, Lines
from trivium.testing import ManualClock


class Heard(io.StringIO):
    """A stream that tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        size = super().write(text)
        self.written.set()
        return size


def test_a_run_that_has_not_finished_a_unit_says_so() -> None:
    clock, said = ManualClock(), Heard()
    with Lines(1_000, said, clock, seconds=0.01):
        clock.advance(26)
        assert said.written.wait(10)
    lines = said.getvalue().splitlines()
    assert lines[-1] == "0 of 1,000 events, no unit is finished after 26 s"


def test_the_last_line_counts_everything() -> None:
    clock, said = ManualClock(), io.StringIO()
    with Lines(1_000, said, clock) as shown:
        shown.advance(600, 1)
        clock.advance(2)
        shown.advance(400, 2)
    assert said.getvalue() == "1,000 of 1,000 events, 3 rejected, 500/s\n"


def test_nothing_of_it_moves_a_cursor() -> None:
    said = io.StringIO()
    with Bar(10, said) as shown:
        shown.advance(10, 0)
    assert "\x1b" not in said.getvalue()
