"""What every error code of the gateway means, row by row, and what a code nobody knows means."""

import pytest

from daemon.brokers.gateway.codes import CODES, ForData, ForLink, ForOrder, meaning

LIVE = {105, 329, 399, 404, 492, 2102, 2109, 2137, 2161, 10197, 10349}
REFUSED = {
    *(106, 107, 109, 110, 111, 163, 200, 201, 203, 320, 321, 382, 383),
    *(413, 434, 435, 436, 10006, 10242, 10243),
}
LOOK_UP = {103, 104, 133, 134, 135, 136, 161, 322, 323, 10147, 10148, 10328}
LINK = {
    326: ForLink.CLIENT_ID_TAKEN,
    100: ForLink.TOO_FAST,
    1100: ForLink.SERVERS_LOST,
    2110: ForLink.SERVERS_AWAY,
    1101: ForLink.SERVERS_BACK_DATA_LOST,
    1102: ForLink.SERVERS_BACK,
    1300: ForLink.SOCKET_MOVED,
    2103: ForLink.MARKET_DATA_LOST,
    2104: ForLink.MARKET_DATA_BACK,
    2105: ForLink.HISTORY_LOST,
    2106: ForLink.HISTORY_BACK,
    2107: ForLink.HISTORY_IDLE,
    2108: ForLink.MARKET_DATA_IDLE,
    2157: ForLink.DEFINITIONS_LOST,
    2158: ForLink.DEFINITIONS_BACK,
}
DATA = {
    101: ForData.LINES_USED_UP,
    162: ForData.PACING_OR_NONE,
    420: ForData.PACING_OR_NONE,
    200: ForData.NO_CONTRACT,
    354: ForData.NO_PERMISSION,
    10089: ForData.NO_PERMISSION,
    10090: ForData.NO_PERMISSION,
    10168: ForData.NO_PERMISSION,
    10186: ForData.NO_PERMISSION,
    10189: ForData.NO_PERMISSION,
    10167: ForData.DELAYED,
    10197: ForData.COMPETING_LOGIN,
    10225: ForData.RESUBSCRIBE,
}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_row_says_what_the_facts_page_says(code: int) -> None:
    order = None
    if code in LIVE:
        order = ForOrder.LIVE
    elif code in REFUSED:
        order = ForOrder.REFUSED
    elif code in LOOK_UP:
        order = ForOrder.LOOK_UP
    elif code == 202:
        order = ForOrder.CANCELLED
    means = meaning(code)
    assert (means.order, means.link, means.data) == (order, LINK.get(code), DATA.get(code))
    assert means.text


def test_no_row_is_missing() -> None:
    assert set(LINK) | set(DATA) | LIVE | REFUSED | LOOK_UP | {202} <= set(CODES)


@pytest.mark.parametrize("code", [1, 450, 999, 10350, 20000, 99999])
def test_a_code_nobody_knows_is_looked_up(code: int) -> None:
    assert meaning(code).order is ForOrder.LOOK_UP


@pytest.mark.parametrize("code", [2111, 2168, 2199])
def test_a_warning_nobody_knows_leaves_an_order_alive(code: int) -> None:
    assert meaning(code).order is ForOrder.LIVE


def test_only_one_code_confirms_a_cancel() -> None:
    assert [code for code, row in CODES.items() if row.order is ForOrder.CANCELLED] == [202]
