"""What systemd is told, on a path and on a name that lies in no folder."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.systemd import Systemd, systemd


@pytest.fixture(params=["a path", "an abstract name"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    name = f"{tmp_path.name}-{id(request)}"
    path = str(Path("/tmp") / name)  # noqa: S108 - short, as the kernel wants it
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        abstract = request.param == "an abstract name"
        listener.bind(f"\0{name}" if abstract else path)
        listener.settimeout(60)
        yield (f"@{name}" if abstract else path), listener
    Path(path).unlink(missing_ok=True)


def test_each_word_arrives_as_systemd_reads_it(heard: tuple[str, socket.socket]) -> None:
    address, listener = heard
    to = Systemd(address)
    to.ready("trading")
    to.status("held by kill switch")
    to.alive()
    to.stopping("signal SIGTERM")
    to.more_time()
    to.reloading()
    to.reloaded()
    said = [listener.recv(4096).decode() for _ in range(7)]
    assert said[:5] == [
        "READY=1\nSTATUS=trading",
        "STATUS=held by kill switch",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping: signal SIGTERM",
        "EXTEND_TIMEOUT_USEC=60000000",
    ]
    # A reload has its moment on the monotonic clock, or systemd refuses it.
    assert said[5].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert int(said[5].rpartition("=")[2]) > 0
    assert said[6] == "READY=1"


def test_nobody_who_listens_is_no_trouble(tmp_path: Path) -> None:
    Systemd().ready("trading")
    Systemd(str(tmp_path / "gone")).ready("trading")
    Systemd("@traded-nobody-is-there").ready("trading")


def test_a_full_queue_of_words_keeps_nobody_waiting(heard: tuple[str, socket.socket]) -> None:
    address, _ = heard
    for _ in range(2_000):  # More than any queue of datagrams holds.
        Systemd(address).alive()


def test_the_watchdog_is_fed_four_times_a_period() -> None:
    found = systemd({"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "30000000"}, 7)
    assert found == Systemd("/s", 7.5)  # 30 s / 4


def test_a_watchdog_of_another_process_or_none_is_not_fed() -> None:
    other = {"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}
    assert systemd(other, 7).feed_every_s == 0
    assert systemd(other, 8).feed_every_s == 7.5
    assert systemd({"NOTIFY_SOCKET": "/s"}, 7).feed_every_s == 0
    assert systemd({"WATCHDOG_USEC": "what?"}, 7) == Systemd()
