"""The one place of the client side that sleeps.

Owns: doing nothing for a while. Refuses to know: why; what is waited for happens in another process, so there
is no event to wait on.
"""

from time import sleep  # noqa: TID251 - see above


def pause(seconds: float) -> None:
    """Do nothing for `seconds`."""
    sleep(seconds)
