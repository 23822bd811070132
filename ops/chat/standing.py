"""How the chat itself stands: whether it hears; kept where `traded watch` finds it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from daemon.control.address import UnsafeFolder, make_folder, places, socket_path
from ops.chat.hearing import Counts
from ops.render import span

EVERY_S: Final = 5.0
AGE_MAX: Final = timedelta(seconds=30)
SIZE_MAX_BYTES: Final = 20_000


class ChatBeat(msgspec.Struct, frozen=True):
    """That a chat lived at `at`, as which process, and what is wrong: "" where nothing is."""

    version: int
    pid: int
    at: datetime
    problem: str
    counts: Counts


def write_chat_beat(journal: Path, environment: Mapping[str, str], beat: ChatBeat) -> str:
    """Replace the file, whole; return why that failed, empty where it did not."""
    path = socket_path(journal, environment).with_suffix(".chat.json")
    beside = path.with_suffix(".new")
    try:
        make_folder(path)
        beside.write_bytes(msgspec.json.encode(beat))
        beside.chmod(0o600)
        beside.replace(path)
    except UnsafeFolder as error:
        return str(error)
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""


def chat_problem(journal: Path, environment: Mapping[str, str], now: datetime) -> str:
    """Return why the chat of `journal` hears nobody at `now`, empty where it does."""
    beat = _read(journal, environment)
    if beat is None:
        return "it does not run"
    if now - beat.at > AGE_MAX:
        return f"its last sign of life is {span((now - beat.at) / timedelta(seconds=1))} old"
    return beat.problem


def _read(journal: Path, environment: Mapping[str, str]) -> ChatBeat | None:
    for place in places(journal, environment):
        try:
            with place.with_suffix(".chat.json").open("rb") as file:
                return msgspec.json.decode(file.read(SIZE_MAX_BYTES), type=ChatBeat)
        except (OSError, msgspec.MsgspecError):
            continue
    return None
