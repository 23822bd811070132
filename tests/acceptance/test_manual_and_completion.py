"""The manual page and what shells complete: both know every command and every option."""

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from daemon.exit_codes import ExitCode
from ops.cli import GROUPS
from ops.cli import traded as group
from tests.command_line import traded

COMMANDS = [name for names in GROUPS.values() for name in names]
TAB_S = 0.2
"""How long a person may wait for an answer to a TAB."""


def every_command() -> list[tuple[str, click.Command]]:
    """Return each command by the words that call it, asked of click and not of our own tree."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {part}", each) for part, each in command.commands.items()]
    return found


def options_of(command: click.Command) -> list[str]:
    return [
        name
        for each in command.params
        if isinstance(each, click.Option) and not each.hidden
        for name in each.opts
    ]


@pytest.fixture(scope="module")
def page() -> str:
    done = traded("manual")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_manual_has_every_command_and_every_option(page: str) -> None:
    text = page.replace(r"\-", "-")
    for words, command in every_command():
        assert f'.SS "traded {words}"' in text, words
        section = text.split(f'.SS "traded {words}"')[1].split("\n.S")[0]
        for option in options_of(command):
            assert re.search(rf"^\.B (.*, )?{option}( |,|$)", section, re.MULTILINE), option


def test_the_manual_has_every_exit_code(page: str) -> None:
    status = page.split(".SH EXIT STATUS")[1].split(".SH", maxsplit=1)[0]
    assert {int(code) for code in re.findall(r"^\.B (\d+)$", status, re.MULTILINE)} == set(ExitCode)


def test_man_has_nothing_to_complain_about(page: str, tmp_path: Path) -> None:
    man = shutil.which("man")
    if man is None:
        pytest.skip("man is not installed here: the page is not formatted")
    (tmp_path / "traded.1").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [man, "--warnings", "-E", "UTF-8", "-l", str(tmp_path / "traded.1")],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
    )
    if "has been minimized" in done.stdout:
        pytest.skip("man is a stub here: the page is not formatted")
    assert done.stderr == ""
    plain = re.sub(".\b", "", done.stdout)
    assert "traded flatten" in plain
    assert "EXIT STATUS" in plain


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here: its completion is not tried")
    return found


def script(name: str, folder: Path) -> Path:
    done = traded("completion", name)
    assert done.returncode == 0, done.stderr
    (folder / name).write_text(done.stdout, encoding="utf-8")
    return folder / name


def in_bash(loaded: Path, lines: Sequence[str]) -> list[set[str]]:
    """Return what bash offers at the end of each line."""
    typed = "\n".join(
        f"COMP_WORDS=({line}{' ' + repr('') if line.endswith(' ') else ''}); "
        'COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _traded; echo "${COMPREPLY[*]}"'
        for line in lines
    )
    done = subprocess.run(
        [shell("bash"), "--norc", "-c", f"source {loaded}\n{typed}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [set(line.split()) for line in done.stdout.split("\n")[:-1]]


def test_bash_completes_every_command_and_every_option(tmp_path: Path) -> None:
    loaded = script("bash", tmp_path)
    commands = every_command()
    first, *rest = in_bash(loaded, ["traded ", *(f"traded {words} -" for words, _ in commands)])
    assert first >= set(COMMANDS)
    for (words, command), offered in zip(commands, rest, strict=True):
        assert offered >= {*options_of(command), "--help"}, words


def test_bash_completes_files_choices_and_the_beginning_of_a_name(tmp_path: Path) -> None:
    loaded = script("bash", tmp_path)
    (tmp_path / "mine.toml").touch()
    assert in_bash(
        loaded,
        [
            "traded reco",
            f"traded run --config {tmp_path}/mi",
            "traded completion z",
            "traded secrets r",
        ],
    ) == [{"reconcile"}, {f"{tmp_path}/mine.toml"}, {"zsh"}, {"rotate"}]


def test_a_tab_is_answered_at_once(tmp_path: Path) -> None:
    loaded = script("bash", tmp_path)
    began = time.perf_counter()
    asked = 50
    in_bash(loaded, ["traded run --"] * asked)
    # Of fifty, so that a busy machine cannot make it slow by one pause; a process each would.
    assert (time.perf_counter() - began) / asked < TAB_S


def test_fish_completes_commands_options_and_choices(tmp_path: Path) -> None:
    fish = shell("fish")
    loaded = script("fish", tmp_path)

    def offered(line: str) -> set[str]:
        done = subprocess.run(
            [fish, "--no-config", "-c", f"source {loaded}; complete -C '{line}'"],
            capture_output=True,
            text=True,
            check=True,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        return {each.split("\t")[0] for each in done.stdout.splitlines()}

    assert offered("traded ") >= set(COMMANDS)
    assert offered("traded completion ") == {"bash", "zsh", "fish"}
    for words, command in every_command():
        long = {name for name in options_of(command) if name.startswith("--")}
        assert offered(f"traded {words} --") >= long, words


def test_zsh_reads_its_script_and_the_script_has_every_option(tmp_path: Path) -> None:
    loaded = script("zsh", tmp_path)
    text = loaded.read_text(encoding="utf-8")
    for words, command in every_command():
        name = words.replace(" ", "__").replace("-", "_")
        section = text.split(f"\n_traded_{name}() {{")[1].split("\n}")[0]
        assert all(f"{option}[" in section for option in options_of(command)), words
    subprocess.run([shell("zsh"), "-n", loaded], check=True)
