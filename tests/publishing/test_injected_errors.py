"""Every error at every system call of a publication, and the table of what came of it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.publishing.places import short_directory
from tests.publishing.system_calls import Step, faulty, steps_of_publication
from tests.scale import scaled
from tests.sinks.publisher_process import PublisherProcess, publisher_process
from tests.sinks.publishing import entries, token_text

pytestmark = [pytest.mark.publishing, pytest.mark.soak]

ERRORS: Final = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE", "EINTR")
THE_NAME_CHANGES: Final = "renameat"
LENGTH: Final = 20
"""Of the changing part of all tokens alike: then the old content is read and compared, too."""
ROUNDS: Final = scaled(short=1, whole=10)


@pytest.fixture
def base() -> Iterator[Path]:
    """Where the token's directory is."""
    with short_directory() as place:
        yield place


@pytest.fixture
def publisher(base: Path) -> Iterator[PublisherProcess]:
    """A process whose first publication, with its look around, is behind it."""
    with publisher_process(base / "tokens" / "token") as process:
        assert "ok" == process.publish(0, fill=LENGTH - 1)
        yield process


class Trial:
    """Publications to `base`/tokens/token, each with one error in it, and the matrix of what readers find after it."""

    def __init__(self, publisher: PublisherProcess, base: Path, *, rebuilding: bool) -> None:
        self._publisher = publisher
        self._base = base
        self._path = base / "tokens" / "token"
        self._rebuilding = rebuilding
        """Whether the directory is removed before each publication."""
        self._number = 0
        self.matrix: dict[Step, list[str]] = {}

    def run(self) -> list[Step]:
        """Every error at every call; the calls in their order."""
        self._begin()
        output = self._base / "trace"
        found = steps_of_publication(
            self._publisher, output, base=self._base, number=self._number, fill=self._fill
        )
        for _ in range(ROUNDS):
            self.matrix = {step: [self._outcome(step, error) for error in ERRORS] for step in found}
        return found

    @property
    def _fill(self) -> int:
        return LENGTH - len(str(self._number))

    def _begin(self) -> None:
        self._number += 1
        if self._rebuilding:
            shutil.rmtree(self._path.parent)

    def _outcome(self, step: Step, error: str) -> str:
        """What is in place afterwards; and that the next publication heals it, without anything left."""
        self._begin()
        before, new = self._found(), token_text(self._number, fill=self._fill)
        output = self._base / "trace"
        with faulty(self._publisher, step, f"error={error}", output):
            answer = self._publisher.publish(self._number, fill=self._fill)
        assert "INJECTED" in output.read_text(), f"{step} was not reached"
        after = self._found()
        assert after in {before, new}, f"{step} {error}: torn"
        assert answer != "ok" or after == new, f"{step} {error}: success without the token"
        if answer != "ok":
            assert answer.startswith(f"error: cannot publish {self._path}"), answer
            assert os.strerror(getattr(errno, error)) in answer, answer
        assert "ok" == self._publisher.publish(self._number, fill=self._fill), f"{step} {error}: not healed"
        assert new == self._found()
        assert 0o755 == stat.S_IMODE(self._path.parent.stat().st_mode)
        if answer == "ok":
            return "new"
        return "new, told" if after == new else "old" if before else "none"

    def _found(self) -> str | None:
        """The token; nothing may lie beside it."""
        names = entries(self._path.parent) if self._path.parent.exists() else []
        assert names in ([], ["token"]), "something was left lying about"
        return self._path.read_text() if names else None


def test_every_error_at_every_call_keeps_a_whole_token(
    publisher: PublisherProcess, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R-115, F-31: the old token or the new one, nothing left behind, an error that names the path, then healed."""
    trial = Trial(publisher, base, rebuilding=False)
    steps = trial.run()
    with capsys.disabled():
        sys.stdout.write(f"\n{table(trial.matrix)}\n")
    renamed = next(index for index, step in enumerate(steps) if step.call.startswith(THE_NAME_CHANGES))
    assert {"old", "new"} == {cell for step in steps[: renamed + 1] for cell in trial.matrix[step]}
    assert {"new, told", "new"} == {cell for step in steps[renamed + 1 :] for cell in trial.matrix[step]}


def test_every_error_while_the_directory_is_built_again(
    publisher: PublisherProcess, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R-115, F-36: no file or the whole new one, and the next publication is as good as ever."""
    trial = Trial(publisher, base, rebuilding=True)
    steps = trial.run()
    with capsys.disabled():
        sys.stdout.write(f"\n{table(trial.matrix)}\n")
    assert "mkdirat" in {step.call for step in steps}
    assert {"none", "new", "new, told"} == {cell for row in trial.matrix.values() for cell in row}


def table(matrix: dict[Step, list[str]]) -> str:
    """For people: one row a call. `old` and `new` are what readers find after it."""
    head = f"{'call':34}" + "".join(f"{error:>11}" for error in ERRORS)
    return "\n".join(
        [head, *(f"{step!s:34}" + "".join(f"{cell:>11}" for cell in row) for step, row in matrix.items())]
    )
