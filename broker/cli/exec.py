"""`token-broker exec`: run a program with tokens in files that stay fresh.

Owns: which token goes by which name in the program's environment. Refuses to know: how files are kept fresh
(`token_files`, `freshness`) and how a program is looked after (`child`).
"""

import os
from collections.abc import Iterable

from broker.cli import addresses
from broker.cli.options import Arguments, Command, Duration, Repeated, UsageError
from broker.client import routes
from broker.client.fetch import fetch
from broker.client.token import Token, parse

_TOKEN = Repeated("--token", "NAME[=ENVVAR]", "a managed token; with =ENVVAR also in the environment")
_WAIT = Duration("--wait", "wait at most this long for tokens before the program starts", default="0s")

COMMAND = Command(
    "exec",
    "run a program with $TOKEN_FILE naming a file that stays fresh; of several tokens each in $ENVVAR_FILE",
    options=(_TOKEN, _WAIT, addresses.SOCKET),
    operand="CMD",
    operand_summary="the program and its arguments",
    least=1,
    most=None,
    operands_last=True,
    example="token-broker exec --token deploy -- ./deploy.sh\n"
    "token-broker exec --token deploy=DEPLOY --token registry=REGISTRY -- sh -c 'curl-with $DEPLOY_FILE'",
)

_FILE_SUFFIX = "_FILE"
_ONLY_FILE = "TOKEN_FILE"


class Wish:
    """One `--token`: its name, and the variable that was asked for."""

    def __init__(self, text: str) -> None:
        self.name, equals, variable = text.partition("=")
        self.variable = variable if equals else None
        if self.variable is not None and not _is_variable(self.variable):
            raise UsageError(f"--token: {self.variable!r} cannot be a variable's name")

    @property
    def file_variable(self) -> str:
        """Where there are several: ENVVAR_FILE, ENVVAR being made from the token's name if none was given."""
        stem = self.variable or "".join(c if c.isalnum() else "_" for c in self.name.upper())
        return f"{'_' if stem[0].isdigit() else ''}{stem}{_FILE_SUFFIX}"


def run(arguments: Arguments) -> int:
    """Run the program to its end; its exit status. Raises TokenClientError if a token cannot be had."""
    path = addresses.socket(arguments)
    wishes = [Wish(text) for text in _TOKEN.read(arguments)]
    _refuse_equal_names(wishes)
    wait_seconds = _WAIT.read(arguments)
    tokens = {wish.name: _read(path, wish.name, wait_seconds) for wish in wishes}

    from broker.cli.child import run_child
    from broker.cli.freshness import Freshness
    from broker.cli.token_files import token_files

    with token_files() as files:
        for name, token in tokens.items():
            files.write(name, token.access_token)
        environment = {**os.environ, **_variables(wishes, tokens, files.path)}
        keeper = Freshness(path, files, tokens)
        del tokens
        return run_child(arguments.operands, environment, started=keeper.start)


def _read(path: str, name: str, wait_seconds: float) -> Token:
    return parse(fetch(path, name, accept="application/json", wait_seconds=wait_seconds))


def _variables(wishes: Iterable[Wish], tokens: dict[str, Token], directory: str) -> dict[str, str]:
    variables = {}
    for wish in wishes:
        file = os.path.join(directory, wish.name)  # noqa: PTH118 - pathlib is slow to load
        for variable in _file_variables(wish, alone=len(tokens) == 1):
            variables[variable] = file
        if wish.variable is not None:
            variables[wish.variable] = tokens[wish.name].access_token
    return variables


def _file_variables(wish: Wish, *, alone: bool) -> list[str]:
    """A token that is alone is found by one name whatever it is called; its own name does no harm."""
    own = [wish.file_variable] if wish.variable is not None or not alone else []
    return [_ONLY_FILE, *own] if alone else own


def _refuse_equal_names(wishes: list[Wish]) -> None:
    names = [wish.name for wish in wishes]
    variables = [wish.variable for wish in wishes if wish.variable is not None]
    for wish in wishes:
        routes.token(wish.name)  # refuses what cannot be one
        variables += _file_variables(wish, alone=len(wishes) == 1)
    for name in [*names, *variables]:
        if names.count(name) > 1 or variables.count(name) > 1:
            raise UsageError(
                f"--token: two tokens cannot both be {name!r}; write NAME=ENVVAR to tell them apart"
            )


def _is_variable(text: str) -> bool:
    return text.isascii() and text.isidentifier()
