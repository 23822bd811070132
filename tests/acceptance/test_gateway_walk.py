"""The daemon on a simulated gateway as a person lives it: the README's walk, a stop, another time.

Both are processes of their own; the strategies are a trend and a rebalance, of two symbols. A day
and a night of them are in test_gateway_day.
"""

import shlex
from pathlib import Path

import pytest

from events import HoldPlaced, OrderWorking
from tests.gateway_walk import BARS, ROOT, Walk, until

pytestmark = pytest.mark.paced

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## A broker outside, without one")[1].split("\n## ")[0]
RUN = ("run", "--gateway-time", "var/gateway.time")


def typed_in_the_readme(port: int) -> list[list[str]]:
    """Return the README's command lines, word by word, on `port` and twice as fast."""
    blocks = "".join(SECTION.split("```")[1::2]).replace("\\\n", "")
    text = blocks.replace("4002", str(port)).replace("--speed 60", "--speed 120")
    return [shlex.split(line) for line in text.splitlines() if line.strip()]


def test_the_readmes_walk_on_a_simulated_gateway_works(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    gateway, export, run, breaks, resolve, *looks = typed_in_the_readme(walk.port)
    assert export[0] == "export"
    walk.variables = dict(each.split("=") for each in export[1:])
    assert all(words[0] == ".venv/bin/traded" for words in (gateway, run, breaks, resolve, *looks))
    with walk.gateway(*gateway[1:]) as simulated:
        with walk.daemon(*run[1:]) as daemon:
            daemon.wait_for("traded resolve --all --adopt")
            assert walk.typed(*breaks[1:]).returncode == 3
            assert "booked +1000000.00 USD" in walk.confirmed(*resolve[1:])
            daemon.wait_for("nothing is held any more", times=2)
            until(
                lambda: both_traded(walk),
                lambda: f"fills of both; the daemon said {daemon.said}",
            )
            daemon.kill()
        with walk.daemon(*run[1:]) as again:
            again.wait_for("connected to")
            again.wait_for("nothing is held any more")
            assert again.stop()[0] == 0
        said = simulated.stop()[1]
        assert f"IBKR_ACCOUNT=DU1234567 IBKR_PORT={walk.port} traded {' '.join(run[1:])}\n" in said
    for words in looks:
        done = walk.typed(*words[1:])
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    walk.is_sound()


def test_a_stop_cancels_at_the_gateway_what_it_is_to_cancel_and_holds_nothing(
    tmp_path: Path,
) -> None:
    walk = Walk(tmp_path)
    walk.variables["TRADED_DAEMON__ON_STOP"] = "cancel"
    words = ("--start", "2012-11-05T15:00", "--clock", "var/gateway.time", "--speed", "10")
    with (
        walk.gateway("gateway-sim", "--bars", BARS, *words, "--port", str(walk.port)),
        walk.daemon(*RUN) as daemon,
    ):
        daemon.wait_for("traded resolve --all --adopt")
        walk.confirmed("resolve", "--all", "--adopt", "--reason", "opening balance")
        daemon.wait_for("nothing is held any more")
        # Ten percent below the market: it rests.
        walk.confirmed("order", "buy", "5", "AAPL", "--limit", "525", "--why", "a test")
        until(lambda: walk.events(OrderWorking), lambda: f"an order at work: {daemon.said}")
        code, printed = daemon.stop()
    assert (code, "on_stop = cancel: 1 cancelled; no order is open" in printed) == (0, True)
    assert "nothing is held" in walk.typed("holds").stdout
    causes = [hold.cause for hold in walk.events(HoldPlaced)]
    assert sorted(causes) == ["BROKER_DISCONNECTED", "RECONCILIATION_BREAK"], "none for the stop"


def test_a_journal_lives_in_one_time_and_real_money_in_the_machines(tmp_path: Path) -> None:
    walk = Walk(tmp_path)
    words = ("--start", "2012-11-05T15:00", "--clock", "var/gateway.time")
    with walk.gateway("gateway-sim", "--bars", BARS, *words, "--port", str(walk.port)):
        with walk.daemon(*RUN) as daemon:
            daemon.wait_for("connected to 127.0.0.1")
            assert daemon.stop()[0] == 0
        other = walk.typed("run", "--no-wait")
        assert (other.returncode, "lives in a simulated gateway's time" in other.stderr) == (
            78,
            True,
        )
        walk.variables["IBKR_ACCOUNT"] = "U1234567"
        live = walk.typed(*RUN, "--live", "--set", "mode=live")
        assert (live.returncode, "real money lives now" in live.stderr) == (78, True)


def both_traded(walk: Walk) -> bool:
    return walk.strategies_filled() == {"balance", "trend"}
