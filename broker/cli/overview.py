"""What `token-broker --help` says, and what it says to a verb that does not exist.

Owns: these texts. Refuses to know: the verbs' own options.
"""

from broker.cli import VERBS
from broker.cli.options import UsageError, did_you_mean

_HEAD = """\
usage: token-broker VERB [OPTIONS] ...

Keeps OAuth 2.0 access tokens fresh, and publishes them to files and a Unix socket.

verbs:
"""

_TAIL = """
`token-broker VERB --help` shows a verb's options and an example.

examples:
  token-broker dev
  token-broker run --config /etc/token-broker/config.toml
  token-broker get deploy --format header

exit codes:
  0 done   64 usage   69 the token cannot be had   70 internal error
  73 another instance runs   75 try again   77 denied or unknown name   78 configuration error
"""


def overview() -> str:
    """The help of the command as a whole."""
    return _HEAD + "".join(f"  {verb:<10} {summary}\n" for verb, summary in VERBS.items()) + _TAIL


def unknown_verb(verb: str) -> UsageError:
    """The error for a first argument that is no verb."""
    kind = "option" if verb.startswith("-") else "verb"
    return UsageError(
        f"there is no {kind} {verb!r}{did_you_mean(verb, list(VERBS))}; see token-broker --help"
    )
