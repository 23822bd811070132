"""Scripts that complete `traded` in a shell. All names stand in them: a TAB starts no process."""

from collections.abc import Callable, Iterator
from typing import Final

import click

from ops.cli import GROUPS
from ops.command_tree import Entry, entries, own_options, takes_value

_FILES: Final = (click.Path, click.File)


def bash() -> Iterator[str]:
    """Yield the script for bash."""
    every = list(entries())
    yield "# bash completion of traded, printed by `traded completion bash`"
    yield from (
        "_traded() {",
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}",
        '  local verb="" each names="" files=""',
        "  COMPREPLY=()",
        '  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        '    case "$verb $each" in',
    )
    for entry in every:
        above, name = " ".join(entry.words[:-1]), entry.words[-1]
        yield f'      "{above} {name}") verb="{" ".join(entry.words)}" ;;'
    yield from ("    esac", "  done", '  case "$verb $before" in')
    for entry in every:
        for option in filter(takes_value, entry.options):
            patterns = "|".join(f'"{" ".join(entry.words)} {name}"' for name in option.opts)
            yield f"    {patterns}) {_bash_value(option)} ;;"
    yield from ("  esac", '  case "$verb" in')
    first = [*_names(own_options()), *(name for names in GROUPS.values() for name in names)]
    yield f'    "") names="{" ".join(first)}" ;;'
    for entry in every:
        names = " ".join([*entry.parts, *_choices(entry), *_names(entry.options)])
        files = " files=yes" if _takes_files(entry) else ""
        yield f'    "{" ".join(entry.words)}") names="{names}"{files} ;;'
    yield from (
        "  esac",
        '  COMPREPLY=($(compgen -W "$names" -- "$word"))',
        '  if [ -n "$files" ] && [ "${word#-}" = "$word" ]; then',
        "    compopt -o filenames 2>/dev/null",
        '    COMPREPLY+=($(compgen -f -- "$word"))',
        "  fi",
        "}",
        "complete -F _traded traded",
    )


def zsh() -> Iterator[str]:
    """Yield the script for zsh, as a file `_traded` in its fpath or to be sourced."""
    every = list(entries())
    yield "#compdef traded"
    yield "# zsh completion of traded, printed by `traded completion zsh`"
    for entry in every:
        yield f"_traded_{_identifier(entry)}() {{"
        words = " ".join(_zsh_option(option) for option in entry.options)
        if entry.parts:
            below = [each for each in every if each.words[:-1] == entry.words]
            yield from _zsh_commands(below, words)
        else:
            takes = "".join(f" {_zsh_argument(each)}" for each in entry.arguments)
            yield f"  _arguments -s {words}{takes}"
        yield "}"
    yield "_traded() {"
    words = " ".join(_zsh_option(option) for option in own_options())
    yield from _zsh_commands([each for each in every if len(each.words) == 1], words)
    yield from (
        "}",
        'if [ "$funcstack[1]" = "_traded" ]; then _traded "$@"; else compdef _traded traded; fi',
    )


def fish() -> Iterator[str]:
    """Yield the script for fish."""
    every = list(entries())
    yield "# fish completion of traded, printed by `traded completion fish`"
    yield "complete -c traded -f"
    for option in own_options():
        yield _fish_option("__fish_use_subcommand", option)
    for entry in every:
        below = " ".join(entry.parts)
        above = (
            "__fish_use_subcommand"
            if len(entry.words) == 1
            else f"__fish_seen_subcommand_from {entry.words[0]}"
        )
        yield f"complete -c traded -n '{above}' -a {entry.words[-1]} -d {_quoted(entry.summary)}"
        seen = " ".join(f"__fish_seen_subcommand_from {word};" for word in entry.words)
        condition = seen.rstrip(";").replace("; ", "; and ")
        if below:
            condition += f"; and not __fish_seen_subcommand_from {below}"
        for option in entry.options:
            yield _fish_option(condition, option)
        if choices := _choices(entry):
            yield f"complete -c traded -n {_quoted(condition)} -a {_quoted(' '.join(choices))}"
        if _takes_files(entry):
            yield f"complete -c traded -n {_quoted(condition)} -F"


SHELLS: Final[dict[str, Callable[[], Iterator[str]]]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""Each shell, and what yields its script."""


def _names(options: tuple[click.Option, ...]) -> list[str]:
    return [name for option in options for name in (*option.opts, *option.secondary_opts)]


def _choices(entry: Entry) -> list[str]:
    return [
        str(word)
        for each in entry.arguments
        if isinstance(each.type, click.Choice)
        for word in each.type.choices
    ]


def _takes_files(entry: Entry) -> bool:
    return any(isinstance(each.type, _FILES) for each in entry.arguments)


def _identifier(entry: Entry) -> str:
    return "__".join(entry.words).replace("-", "_")


def _bash_value(option: click.Option) -> str:
    """Return what answers for the word behind an option."""
    if isinstance(option.type, _FILES):
        return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")); return'
    if isinstance(option.type, click.Choice):
        return f'COMPREPLY=($(compgen -W "{_of(option.type)}" -- "$word")); return'
    return "return"


def _of(choice: click.Choice[object]) -> str:
    return " ".join(str(each) for each in choice.choices)


def _zsh_commands(below: list[Entry], options: str) -> Iterator[str]:
    yield "  local state line"
    yield "  local -a names"
    yield f"  _arguments -C {options} '1:command:->name' '*::argument:->rest'"
    yield from ('  case "$state" in', "    name)", "      names=(")
    for each in below:
        summary = each.summary.replace(":", r"\:")
        yield f"        {_quoted(f'{each.words[-1]}:{summary}')}"
    yield from (
        "      )",
        "      _describe command names ;;",
        "    rest)",
        '      case "$line[1]" in',
    )
    for each in below:
        yield f"        {each.words[-1]}) _traded_{_identifier(each)} ;;"
    yield from ("      esac ;;", "  esac")


def _zsh_option(option: click.Option) -> str:
    text = (option.help or "").replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    value = ""
    if takes_value(option):
        value = f":{option.name}:{_zsh_action(option)}"
    star = "*" if option.multiple else ""
    return " ".join(
        _quoted(f"{star}{name}[{text}]{value}") for name in (*option.opts, *option.secondary_opts)
    )


def _zsh_argument(argument: click.Argument) -> str:
    star = "*" if argument.nargs == -1 else ""
    return _quoted(f"{star}:{argument.name}:{_zsh_action(argument)}")


def _zsh_action(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, _FILES):
        return "_files"
    return f"({_of(parameter.type)})" if isinstance(parameter.type, click.Choice) else " "


def _fish_option(condition: str, option: click.Option) -> str:
    words = [f"complete -c traded -n {_quoted(condition)}"]
    words += [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        for name in (*option.opts, *option.secondary_opts)
    ]
    if takes_value(option):
        words.append("-r -F" if isinstance(option.type, _FILES) else "-x")
        if isinstance(option.type, click.Choice):
            words.append(f"-a {_quoted(_of(option.type))}")
    return " ".join([*words, f"-d {_quoted(option.help or '')}"])


def _quoted(text: str) -> str:
    """Return `text` in the quotes that all three shells understand alike."""
    return "'" + text.replace("'", "’") + "'"  # noqa: RUF001 - an apostrophe no shell sees as one
