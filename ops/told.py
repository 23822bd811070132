"""Telling the running daemon something: the same for every verb that does."""

import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from daemon.control.client import NoAnswer, NotRunning, call
from daemon.control.protocol import VERSION, Answer, Request
from daemon.exit_codes import ExitCode
from ops.daemon_state import Running, daemon_state
from ops.options import journal_option, json_option
from ops.pulling import pull
from ops.render import print_json, say

Command = Callable[..., Any]

PING_S = 0.5
"""How long a daemon that lets its caller wait may take to say that it is there."""


def telling(*, why_needed: bool = True, confirmed: bool = False) -> Callable[[Command], Command]:
    """Add the options of a verb that tells the daemon something: --why, --journal, --json.

    A verb that may increase risk is `confirmed`: it is answered with its numbers and a token.
    """

    def decorate(command: Command) -> Command:
        command = json_option(journal_option(command, is_read=False))
        if confirmed:
            text = "The token the daemon gave with its numbers; asked for on a terminal."
            command = click.option("--confirm", metavar="TOKEN", default="", help=text)(command)
        text = "Why, for the record: at most 500 characters."
        names = ("--why", "--reason", "why")
        if why_needed:
            return click.option(*names, required=True, metavar="TEXT", help=text)(command)
        return click.option(*names, default="", metavar="TEXT", help=text)(command)

    return decorate


def tell(  # noqa: PLR0913 - what a verb says, and how its answer is shown
    journal: Path,
    verb: str,
    args: Mapping[str, str | bool | None],
    why: str,
    *,
    as_json: bool,
    confirm: str = "",
    sure: bool = False,
) -> NoReturn:
    """Tell the daemon of `journal`, print its answer and end with its exit code.

    Arguments that are None are left out. On a terminal a confirmation is asked for, unless who
    asks is `sure` beforehand.
    """
    given = {name: value for name, value in args.items() if value is not None}
    for text in (why, confirm, *given.values()):
        _assert_text(text)
    request = Request(VERSION, verb, f"cli-{secrets.token_hex(8)}", why, confirm, given)
    answer = answered(journal, request, as_json=as_json)
    if answer.token and not confirm and (sure or (not as_json and sys.stdin.isatty())):
        say(*answer.lines, err=True)
        if not (sure or click.confirm("Do it?", err=True)):
            say("nothing was done", err=True)
            sys.exit(ExitCode.REFUSED)
        again = msgspec.structs.replace(request, token=answer.token)
        answer = answered(journal, again, as_json=as_json)
    _print(answer, as_json=as_json)
    sys.exit(answer.exit_code)


def _assert_text(text: str | bool) -> None:  # noqa: FBT001 - an argument as it is given
    try:
        str(text).encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{text!r} is no text: it is not UTF-8") from None


def kill_now(journal: Path, args: Mapping[str, str], why: str, *, as_json: bool) -> NoReturn:
    """Tell the daemon to kill; where it does not say at once that it has, take its permit away."""
    from daemon.stopping.reason import kept_reason  # noqa: PLC0415 - only here

    kept = kept_reason(why)
    if kept != why:
        say(f"note: the reason is kept as: {kept}", err=True)
    request = Request(VERSION, "kill", f"cli-{secrets.token_hex(8)}", kept, args=dict(args))
    pulled = pull(journal, request)
    if pulled.error is not None:
        say(pulled.permit, err=True)
        _give_up(pulled.error, "kill", as_json=as_json)
    assert pulled.answer is not None, "one of both"
    _print(pulled.answer, as_json=as_json)
    sys.exit(pulled.answer.exit_code)


def stop_without_daemon(journal: Path, verb: str, why: str, *, as_json: bool) -> NoReturn:
    """Carry out `verb` without the daemon, print each step, and end the process."""
    from daemon.stopping.offline import stop_offline  # noqa: PLC0415 - only this way needs it

    steps = []
    for step in stop_offline(journal, verb, why):
        steps.append(step)
        if not as_json:
            say(step)
    if as_json:
        print_json({"steps": steps})
    sys.exit(ExitCode.OK)


def answered(journal: Path, request: Request, *, as_json: bool) -> Answer:
    """Return the daemon's answer, or end the process where there is none.

    Whoever waits for it is told so on stderr, and whether the daemon answers at all.
    """
    waits = Waiting(journal, request.verb)
    try:
        return call(journal, request, still_waiting=waits.tell)
    except (NotRunning, NoAnswer) as error:
        _give_up(error, request.verb, as_json=as_json)


class Waiting:
    """Says what is waited for: at once when the daemon hangs, else once that it takes a while."""

    def __init__(self, journal: Path, verb: str) -> None:
        """Wait for the answer of the daemon of `journal` to `verb`."""
        self._journal = journal
        self._verb = verb
        self._said: Running | None = None

    def tell(self, left_s: float) -> None:
        """Say how it stands, `left_s` seconds before it is given up."""
        found = daemon_state(self._journal, PING_S).running
        if found is Running.ANSWERS:
            if found is not self._said:
                say("the daemon answers, and is still at it", err=True)
        elif found is self._said:
            say(f"still no answer: waiting {left_s:.0f} s more", err=True)
        else:
            say(
                f"the daemon does not answer: waiting {left_s:.0f} s more",
                f"  meanwhile: {_hung(self._verb)}",
                err=True,
            )
        self._said = found


def _give_up(error: NotRunning | NoAnswer, verb: str, *, as_json: bool) -> NoReturn:
    is_down = isinstance(error, NotRunning)
    code = ExitCode.DAEMON_NOT_RUNNING if is_down else ExitCode.FAILURE
    following = _without_daemon(verb) if is_down else _hung(verb)
    say(f"traded: {error}", f"  next: {following}", err=True)
    if as_json:
        print_json(Answer(VERSION, code, (str(error), f"next: {following}")))
    sys.exit(code)


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    say(*answer.lines, err=answer.exit_code not in {ExitCode.OK, ExitCode.FINDINGS})
    if answer.token:
        say(f"  next: the same again with --confirm {answer.token}", err=True)


def _without_daemon(verb: str) -> str:
    if verb in {"kill", "cancel-all"}:
        return f"`traded {verb} --offline` does it without the daemon"
    return "start it with `traded run`, then say it again"


def _hung(verb: str) -> str:
    if verb in {"kill", "cancel-all"}:
        return f"`traded {verb} --offline` waits for nobody"
    return "`traded kill --offline` stops it without its help; `traded status` shows how it stands"
