"""Completion scripts for bash, zsh and fish, made from the verbs' commands.

Owns: the three languages. Refuses to know: any verb; what an option or an operand is completed with follows from
how it is declared.
"""

from collections.abc import Callable, Sequence

from broker.cli.options import Choice, Command, Option

Kind = str
"""`words ...`, `names`, `files`, `program` (a command line of another program), or empty for free text."""

_PROGRAM = "token-broker"

_BASH = """\
# bash completion for token-broker, printed by `token-broker completion bash`
_token_broker() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} at i
    # bash takes --option=value apart into three words.
    if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _token_broker_offer words %(verbs)s
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then at=$i; break; fi
    done
    if [[ -z $at ]]; then
        case "$verb $before" in
%(values)s        esac
        if [[ $word == -* ]]; then
            case "$verb" in
%(options)s            esac
            return
        fi
    fi
    case "$verb" in
%(operands)s    esac
}
_token_broker_offer() {
    local kind=$1
    shift
    case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$word") ;;
    names) mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" completion --names 2>/dev/null)" -- "$word") ;;
    program)
        if [[ -n $at ]] && ((COMP_CWORD == at + 1)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$word")
        else
            _token_broker_offer files
        fi ;;
    files)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}
complete -F _token_broker token-broker
"""

_ZSH = """\
#compdef token-broker
# zsh completion for token-broker, printed by `token-broker completion zsh`
_token_broker_names() {
    local -a names
    names=(${(f)"$(_call_program names token-broker completion --names 2>/dev/null)"})
    compadd -a names
}
_token_broker() {
    local -a verbs
    verbs=(
%(verbs)s    )
    if ((CURRENT == 2)); then
        _describe -t verbs verb verbs
        return
    fi
    local verb=$words[2]
    shift words
    ((CURRENT--))
    case $verb in
%(cases)s    esac
}
if [[ $funcstack[1] == _token_broker || $funcstack[1] == _token-broker ]]; then
    _token_broker "$@"
else
    compdef _token_broker token-broker
fi
"""

_FISH_HEAD = """\
# fish completion for token-broker, printed by `token-broker completion fish`
complete -c token-broker -f
"""


def bash(commands: Sequence[Command]) -> str:
    """The script for bash 4 and newer."""
    values = [
        f'        "{command.name} {option.name}") _token_broker_offer {_option_kind(option) or "none"}; return ;;\n'
        for command in commands
        for option in command.options
        if option.metavar is not None
    ]
    options = [
        f"            {command.name}) _token_broker_offer words {' '.join(_flags(command))} ;;\n"
        for command in commands
    ]
    operands = [
        f"    {command.name}) _token_broker_offer {_operand_kind(command)} ;;\n"
        for command in commands
        if command.operand
    ]
    return _BASH % {
        "verbs": " ".join(command.name for command in commands),
        "values": "".join(values),
        "options": "".join(options),
        "operands": "".join(operands),
    }


def zsh(commands: Sequence[Command]) -> str:
    """The script for zsh."""
    verbs = [f"        {_quoted(f'{command.name}:{command.summary}')}\n" for command in commands]
    cases = []
    for command in commands:
        words = [_quoted(_zsh_option(option)) for option in command.options]
        words.append(_quoted("(- *)--help[show this]"))
        if command.operand:
            kind = _operand_kind(command)
            action = "_normal" if kind == "program" else _zsh_action(kind)
            count = "*::" if kind == "program" else "*:"
            words.append(_quoted(f"{count}{command.operand}:{action}"))
        lines = " \\\n            ".join(words)
        cases.append(f"    {command.name})\n        _arguments \\\n            {lines} ;;\n")
    return _ZSH % {"verbs": "".join(verbs), "cases": "".join(cases)}


def fish(commands: Sequence[Command]) -> str:
    """The script for fish."""
    lines = [_FISH_HEAD]
    lines += [
        f"complete -c {_PROGRAM} -n __fish_use_subcommand -a {command.name} -d {_quoted(command.summary)}\n"
        for command in commands
    ]
    for command in commands:
        start = f"complete -c {_PROGRAM} -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            value = "" if option.metavar is None else f" {_fish_value(_option_kind(option))}"
            lines.append(f"{start} -l {option.name[2:]}{value} -d {_quoted(option.summary)}\n")
        lines.append(f"{start} -s h -l help -d 'show this'\n")
        if command.operand:
            kind = _operand_kind(command)
            value = (
                "-a '(__fish_complete_subcommand --fcs-skip=2)'" if kind == "program" else _fish_value(kind)
            )
            lines.append(f"{start} {value.replace('-x ', '')}\n")
    return "".join(lines)


WRITERS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _flags(command: Command) -> list[str]:
    return [*(option.name for option in command.options), "--help"]


def _option_kind(option: Option) -> Kind:
    if isinstance(option, Choice):
        return f"words {' '.join(option.choices)}"
    if option.metavar == "PATH":
        return "files"
    return "names" if option.metavar is not None and option.metavar.startswith("NAME") else ""


def _operand_kind(command: Command) -> Kind:
    if command.operands_last:
        return "program"
    if command.operand == "NAME":
        return "names"
    return f"words {command.operand_summary.replace(',', '')}"


def _zsh_option(option: Option) -> str:
    escaped = "".join(f"\\{c}" if c in "[]:\\" else c for c in option.summary)
    if option.metavar is None:
        return f"{option.name}[{escaped}]"
    metavar = "".join(c for c in option.metavar if c.isalpha())
    again = "*" if "[=" in option.metavar else ""
    return f"{again}{option.name}=[{escaped}]:{metavar}:{_zsh_action(_option_kind(option))}"


def _zsh_action(kind: Kind) -> str:
    name, _, words = kind.partition(" ")
    return {"words": f"({words})", "names": "_token_broker_names", "files": "_files"}.get(name, "")


def _fish_value(kind: Kind) -> str:
    name, _, words = kind.partition(" ")
    return {
        "words": f"-x -a '{words}'",
        "names": f"-x -a '({_PROGRAM} completion --names)'",
        "files": "-r -F",
    }.get(name, "-x")


def _quoted(text: str) -> str:
    """One word in all three shells."""
    return "'" + text.replace("'", "'\\''") + "'"
