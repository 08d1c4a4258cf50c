"""Judges what readers find of one token, in its file and on the socket: I1, I2, I5, I6 and R-065.

Owns: what a reader may find when. Refuses to know: requests.
"""

from __future__ import annotations

from tests.simulation.history import Record
from tests.simulation.sight import LATEST_FRACTION, Minted, Sight

SETTLE_SECONDS = 2.0
"""From the answer of the server, or a start that finds a cached token, to the last reader."""
STARVED_SETTLE_SECONDS = 15.0
"""The same for a process that is given no CPU time for seconds on end."""
CONVERGE_SECONDS = 960.0
OVERDUE_SECONDS = 35.0
KEPT_SECONDS = 300.0
"""How long a server is left alone that gave a token which lives no longer than the one there was."""
LONGEST_OUTAGE_FRACTION = 0.38
"""What an outage may take of a lifetime, whenever it begins, without a token expiring (R-065)."""
WHOLLY_DISTURBED_FRACTION = 0.95
"""The same part of what an ordinary life has left after its latest renewal point."""
BETWEEN_READS_SECONDS = 61.0


class ReadJudge:
    """One token's reads."""

    def __init__(self, sight: Sight, *, removed_on_expiry: bool) -> None:
        self.forged: set[str] = set()
        self._excuses = sight.excuses
        self._report = sight.report
        self._removed_on_expiry = removed_on_expiry
        self._minted: dict[str, Minted] = {}
        self._best: Minted | None = None
        """What readers can expect at the least."""
        self._best_since = 0.0
        self._unknown_to_process = True
        self._shown: dict[str, Minted] = {}
        self._shorter_allowed: set[str] = set()
        self._mourned: str | None = None
        self._newest: Minted | None = None
        self._stopped = 0.0

    def stopped(self, record: Record) -> None:
        """The process ends."""
        self._stopped = record["boot"]

    def started(self, record: Record) -> None:
        """Another process: what it adopts is expected from it, and nothing if it has no cache.

        A kill may cost what was minted right before it, and somebody who sets the wall clock what was kept.
        """
        best, now = self._best, record["boot"]
        offset = record["wall"] - now
        self._unknown_to_process = (
            best is None
            or not record["adopts"]
            or self._best_since > self._stopped - SETTLE_SECONDS
            or abs(best.wall_offset - offset) > SETTLE_SECONDS
        )
        self._best_since = now
        if record["adopts"] is None:
            self._best = None  # an older authentic copy may be served, and published, until the next mint
        if self._unknown_to_process:
            self._shorter_allowed = {"file", "socket"}

    def identity_changed(self) -> None:
        """The next token is another one, whatever its end."""
        self._shorter_allowed = {"file", "socket"}

    def secret_moved(self) -> None:
        """Another secret, or another version of it, buys a token that may end sooner (R-073)."""
        self._shorter_allowed = {"file", "socket"}

    def minted(self, token: Minted) -> None:
        """The broker was given a token, perhaps the same again, whose life its server may have rounded down meanwhile.

        A process that knows the longer life keeps it (R-043). To one that has forgotten the token it is a new one.
        """
        known, best = self._minted.get(token.value), self._best
        self._minted[token.value] = self._newest = _longer(token, known)
        if not self._unknown_to_process:
            token = _longer(token, best)
        if (
            best is None
            or self._unknown_to_process
            or best.ends <= token.given
            or token.ends >= best.ends
            or self._shorter_allowed
            or token.secret != best.secret
        ):
            self._best, self._best_since = token, token.given
            self._unknown_to_process = False
        if len(self._minted) > 1000:
            self._minted = {
                value: each for value, each in self._minted.items() if each.ends > token.given - 1e6
            }

    def read(self, record: Record) -> None:
        """A reader looked."""
        now, where, value = record["boot"], record["where"], record["value"]
        expected = self._expected(now, where)
        if value is None:
            self._nothing(now, where, expected=expected)
        else:
            found = self._minted.get(value)
            if found is None:
                what = (
                    "what never was a token" if value in self.forged else "a token that was not minted for it"
                )
                self._report("I1", now, f"{where}: {what}")
                return
            self._something(record, found, expected=expected)
            self._shown[where] = found
        self._explained(now)
        self._recovered(record)

    def _as_told(self, token: Minted) -> Minted:
        """With the life that this process was told of; an earlier one may have been told of a longer."""
        best = self._best
        return best if best is not None and best.value == token.value else token

    def _expected(self, now: float, where: str) -> Minted | None:
        """The token that a reader can expect now."""
        best = self._best
        settle = STARVED_SETTLE_SECONDS if self._excuses.has("machine") else SETTLE_SECONDS
        settled = max(self._best_since, self._excuses.machine_ended) + settle
        if best is None or now <= settled or now >= best.ends - 1e-3:
            return None
        return None if where == "socket" and self._unknown_to_process else best

    def _nothing(self, now: float, where: str, *, expected: Minted | None) -> None:
        """I2: while a minted token is usable, readers find one; a file stays in any case."""
        if expected is not None:
            left = expected.ends - now
            self._report(
                "I2", now, f"{where}: nothing, though a token was minted that lives {left:.0f} s more"
            )
        shown = self._shown.get(where)
        if where == "file" and shown is not None:
            if not (self._removed_on_expiry and now >= self._as_told(shown).ends - 1e-3):
                self._report("I2", now, "the file is gone")
            del self._shown[where]

    def _something(self, record: Record, found: Minted, *, expected: Minted | None) -> None:
        now, where = record["boot"], record["where"]
        if where == "socket":
            if now >= found.ends + 1e-3:
                self._report("I1", now, f"the socket served a token {now - found.ends:.3f} s after its end")
            elif record["expires_in"] > found.ends - now + 1.0:
                self._report(
                    "I1", now, f"the socket promised {record['expires_in']} s of {found.ends - now:.0f} s"
                )
        if expected is not None and found.ends < expected.ends - 1.0:
            self._report("I2", now, f"{where}: an older token than the last one minted")
        before = self._shown.get(where)
        if before is not None and before.value == found.value:
            return
        if (
            now > found.ends + BETWEEN_READS_SECONDS
            and now > self._excuses.machine_ended + BETWEEN_READS_SECONDS
        ):
            self._report("I1", now, f"{where}: a token was published after its end")
        is_shorter = before is not None and found.ends < before.ends - 1.0 and before.ends > now
        if is_shorter and where not in self._shorter_allowed:
            self._report("I5", now, f"{where}: replaced by a token that ends sooner")
        self._shorter_allowed.discard(where)

    def _explained(self, now: float) -> None:
        """R-065: a token that expired had a reason that lasted long enough."""
        best = self._best
        if best is None or now < best.ends or self._mourned == best.value:
            return
        self._mourned = best.value
        if self._is_kept_to_its_end(best):
            return
        excused = self._excuses.seconds_within(best.asked, best.ends)
        if excused < LONGEST_OUTAGE_FRACTION * best.life - 60.0:
            self._report(
                "R-065", now, f"expired, though only {excused:.0f} s of {best.life:.0f} s were disturbed"
            )

    def _is_kept_to_its_end(self, best: Minted) -> bool:
        """Kept for want of a longer life (R-073), and hardly anything could be asked for in the rest of its own."""
        newest = self._newest
        if newest is None or not _is_kept_over(best, newest):
            return False
        left = best.ends - newest.asked
        asked_again = newest.asked + min(KEPT_SECONDS, left / 4)
        excused = self._excuses.seconds_within(asked_again, best.ends)
        return excused > WHOLLY_DISTURBED_FRACTION * (best.ends - asked_again)

    def _recovered(self, record: Record) -> None:
        """I6: sixteen minutes after the last disturbance a token is there, and fresh."""
        now, where, value = record["boot"], record["where"], record["value"]
        if self._excuses.calm_for(now) < CONVERGE_SECONDS:
            return
        found = None if value is None else self._minted.get(value)
        if found is not None:
            found = self._as_told(found)
        if found is None or now >= found.ends + 1e-3:
            self._report(
                "I6", now, f"{where}: no usable token after {CONVERGE_SECONDS:.0f} s without a fault"
            )
        elif self._is_overdue(found, now):
            age = (now - found.asked) / found.life
            self._report(
                "I6", now, f"{where}: a token at {age:.0%} of its life, and nothing hinders its renewal"
            )
        elif where == "socket" and record["state"] != "fresh" and not self._is_misled(now):
            self._report("I6", now, f"the socket calls a token {record['state']} that is in order")

    def _is_misled(self, now: float) -> bool:
        """By a backend that answers with the past: after a reload, which forgets what was rejected, a login may fail.

        That is told as a stale state, and never makes a renewal late.
        """
        return self._excuses.has("stale") or now < self._excuses.stale_ended + CONVERGE_SECONDS

    def _is_overdue(self, found: Minted, now: float) -> bool:
        """Past its renewal point; one that was kept over a newer that ends sooner may grow older (R-073)."""
        newest = self._newest
        if newest is not None and now < newest.given + SETTLE_SECONDS:
            return False
        due = found.asked + LATEST_FRACTION * found.life
        if newest is not None and _is_kept_over(found, newest):
            due = max(due, newest.asked + KEPT_SECONDS)
        return now > due + OVERDUE_SECONDS


def _is_kept_over(token: Minted, newest: Minted) -> bool:
    """Whether the newest token is another one that ends sooner, and therefore did not replace this one (R-073)."""
    return newest.value != token.value and newest.ends < token.ends


def _longer(token: Minted, known: Minted | None) -> Minted:
    """The token, or what is known of it, if that is the same token with a longer life."""
    if known is not None and known.value == token.value and known.ends > token.ends:
        return known
    return token
