"""A few seeds of the campaign over the network, and two daemons that it has to catch.

`python -m tests.network_campaign --seeds 200` runs as many of each mode as you like.
"""

from collections import Counter

import pytest

from daemon.brokers.gateway.session import Timing
from tests.gateway_campaign.adapters import BlindResend
from tests.network_campaign import ENDS_BY_ITSELF, FOUND_WITHIN_S, run_over_tcp, run_seed
from tests.network_proxy import Mode
from tests.trader_steps import Failed

SEEDS, AT_LEAST = range(1, 25), 3
"""Seeds are tried until one has a break that had to be found out: some have none."""
DEAF = Timing(beat=3_600.0)


@pytest.mark.parametrize("mode", Mode)
def test_however_the_network_fails_nothing_is_sent_twice_and_it_is_found_out(mode: Mode) -> None:
    seen, slowest = Counter[str](), 0
    for seed in SEEDS:
        found = run_seed(seed, mode)
        slowest = max(slowest, found.pop("found out after ms, at most"))
        seen += found
        if seed >= AT_LEAST and (seen["found out"] or mode not in ENDS_BY_ITSELF):
            break
    assert seen["strikes"] > 0
    assert seen["agreeing"] > 0
    assert (seen["found out"] > 0) is (mode in ENDS_BY_ITSELF)
    assert slowest <= 1_000 * FOUND_WITHIN_S


def test_the_same_over_real_sockets() -> None:
    assert run_over_tcp(1, Mode.HALF_OPEN)["strikes"] > 0


def test_a_daemon_that_sends_again_what_has_no_answer_is_caught() -> None:
    with pytest.raises(Failed, match="sent twice"):
        run_seed(1, Mode.RESET, BlindResend)


def test_a_daemon_that_asks_nobody_whether_he_is_still_there_is_caught() -> None:
    with pytest.raises(Failed):
        run_seed(1, Mode.HALF_OPEN, timing=DEAF)
