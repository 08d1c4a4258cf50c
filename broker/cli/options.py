"""Options and operands of a verb: declared once, parsed, and described by `--help`.

Owns: the grammar (`--name value`, `--name=value`, `--` ends the options, order is free, of two equal options
the last one holds unless the option may repeat, no abbreviations). Refuses to know: the verbs. Stands in for
argparse, whose import alone takes longer than a `get`.
"""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MAX_SECONDS = 10 * 365 * 86400.0
_HELP_COLUMN = 24


class UsageError(Exception):
    """The command line is wrong; the message is for people."""


class Arguments:
    """A parsed command line; options read their own values from it."""

    __slots__ = ("operands", "values")

    def __init__(self, values: dict[str, list[str]], operands: list[str]) -> None:
        self.values = values
        self.operands = operands

    def last(self, name: str) -> str | None:
        """The value of an option, the last one if it was given more than once."""
        values = self.values.get(name)
        return values[-1] if values else None


class Text:
    """An option with a free value."""

    metavar: str | None

    def __init__(self, name: str, metavar: str, summary: str) -> None:
        self.name = name
        self.metavar = metavar
        self.summary = summary

    def read(self, arguments: Arguments) -> str | None:
        """The value given, or None."""
        return arguments.last(self.name)

    def check(self, arguments: Arguments) -> None:
        """Raises UsageError if the value given is none."""
        if self.read(arguments) == "":
            raise UsageError(f"{self.name} needs a {self.metavar}")


class Repeated:
    """An option with a free value that must be given, any number of times."""

    metavar: str | None

    def __init__(self, name: str, metavar: str, summary: str) -> None:
        self.name = name
        self.metavar = metavar
        self.summary = summary

    def read(self, arguments: Arguments) -> list[str]:
        """The values given, in order."""
        return arguments.values.get(self.name, [])

    def check(self, arguments: Arguments) -> None:
        """Raises UsageError if there is none."""
        values = self.read(arguments)
        if not values or "" in values:
            raise UsageError(f"{self.name} needs a {self.metavar}")


class Flag:
    """An option that is there or not."""

    metavar: str | None = None

    def __init__(self, name: str, summary: str) -> None:
        self.name = name
        self.summary = summary

    def read(self, arguments: Arguments) -> bool:
        """Whether it was given."""
        return self.name in arguments.values

    def check(self, arguments: Arguments) -> None:
        """Nothing can be wrong with a flag."""


class Choice:
    """An option with one of a few values; the first is the default."""

    metavar: str | None

    def __init__(self, name: str, metavar: str, summary: str, choices: tuple[str, ...]) -> None:
        self.name = name
        self.metavar = metavar
        self.choices = choices
        self.summary = f"{summary}: {', '.join(choices)} (default {choices[0]})"

    def read(self, arguments: Arguments) -> str:
        """The value given, or the default."""
        return arguments.last(self.name) or self.choices[0]

    def check(self, arguments: Arguments) -> None:
        """Raises UsageError if the value given is none of the choices."""
        text = arguments.last(self.name)
        if text is not None and text not in self.choices:
            hint = did_you_mean(text, list(self.choices))
            raise UsageError(f"{self.name}: {text!r} is none of {', '.join(self.choices)}{hint}")


class Duration:
    """An option with a duration in the configuration's syntax."""

    metavar: str | None = "DURATION"

    def __init__(self, name: str, summary: str, *, default: str) -> None:
        self.name = name
        self.default = default
        self.summary = f"{summary} (default {default})"

    def read(self, arguments: Arguments) -> float:
        """Seconds: the value given, or the default."""
        text = arguments.last(self.name)
        if text is None:
            text = self.default
        try:
            return seconds(text)
        except ValueError:
            raise UsageError(
                f"{self.name}: {text!r} is no duration; write 500ms, 90s, 15m, 12h, 30d or just seconds"
            ) from None

    def check(self, arguments: Arguments) -> None:
        """Raises UsageError if the value given is no duration."""
        self.read(arguments)


Option = Text | Repeated | Flag | Choice | Duration


class Command:
    """A verb as its user meets it."""

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        options: tuple[Option, ...] = (),
        operand: str | None = None,
        operand_summary: str = "",
        least: int = 0,
        most: int | None = 0,
        operands_last: bool = False,
        example: str,
    ) -> None:
        """`operand` names what stands besides options, `least` to `most` times (None: any number).

        `operands_last`: the first operand ends the options, since what follows are the options of another program.
        """
        self.name = name
        self.summary = summary
        self.options = options
        self.operand = operand
        self.operand_summary = operand_summary
        self.least = least
        self.most = most
        self.operands_last = operands_last
        self.example = example

    def parse(self, argv: list[str]) -> Arguments | None:
        """The arguments, or None if help was asked for. Raises UsageError."""
        by_name = {option.name: option for option in self.options}
        arguments = Arguments({}, [])
        words = iter(argv)
        for word in words:
            if word == "--":
                arguments.operands.extend(words)
            elif word in ("-h", "--help"):
                return None
            elif word.startswith("-") and word != "-":
                name, equals, value = word.partition("=")
                option = by_name.get(name)
                if option is None:
                    hint = did_you_mean(name, list(by_name))
                    raise self._error(f"there is no option {name!r}{hint}")
                if option.metavar is None and equals:
                    raise self._error(f"{name} takes no value")
                if option.metavar is not None and not equals:
                    value = next(words, "--")
                    if value.startswith("--"):
                        raise self._error(f"{name} needs a {option.metavar}")
                arguments.values.setdefault(name, []).append(value)
            else:
                arguments.operands.append(word)
                if self.operands_last:
                    arguments.operands.extend(words)
        self._check(arguments)
        return arguments

    def help(self) -> str:
        """The text of `--help`."""
        lines = [f"usage: {self._usage()}", "", f"{self.summary[0].upper()}{self.summary[1:]}."]
        if self.operand:
            lines += ["", "operands:", _entry(self.operand, self.operand_summary)]
        lines += ["", "options:"]
        for option in self.options:
            left = f"{option.name} {option.metavar}" if option.metavar else option.name
            lines.append(_entry(left, option.summary))
        lines += [_entry("-h, --help", "show this"), "", "example:"]
        lines += [f"  {line}" for line in self.example.splitlines()]
        return "\n".join([*lines, ""])

    def _usage(self) -> str:
        words = ["token-broker", self.name]
        words += [f"{o.name} {o.metavar} ..." for o in self.options if isinstance(o, Repeated)]
        if self.options:
            words.append("[OPTIONS]")
        if self.operands_last:
            words.append("--")
        if self.operand:
            words.append(self.operand if self.least else f"[{self.operand}]")
            if self.most is None:
                words.append("...")
        return " ".join(words)

    def _check(self, arguments: Arguments) -> None:
        for option in self.options:
            option.check(arguments)
        count = len(arguments.operands)
        if count < self.least:
            raise self._error(f"{self.operand} is missing")
        if self.most is not None and count > self.most:
            raise self._error(f"unexpected argument {arguments.operands[self.most]!r}")

    def _error(self, message: str) -> UsageError:
        return UsageError(f"{message}; usage: {self._usage()}")


def seconds(text: str) -> float:
    """Seconds of `N(ms|s|m|h|d)` or of a plain number, up to ten years; ValueError for anything else."""
    number = text.rstrip("mshd")
    factor = _UNITS.get(text[len(number) :] or "s")
    whole, point, fraction = number.partition(".")
    digits = whole + (fraction if point else "")
    if factor is None or not (whole and digits.isascii() and digits.isdigit()) or (point and not fraction):
        raise ValueError("not a duration")
    value = float(number) * factor
    if value > _MAX_SECONDS:
        raise ValueError("too long")
    return value


def did_you_mean(word: str, known: list[str]) -> str:
    """`, did you mean ...?` if one of the known words is near, else nothing."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _entry(left: str, summary: str) -> str:
    if len(left) > _HELP_COLUMN - 4:
        return f"  {left}\n{'':<{_HELP_COLUMN}}{summary}"
    return f"  {left:<{_HELP_COLUMN - 2}}{summary}"
