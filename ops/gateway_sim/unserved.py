"""What is answered to requests this gateway has nothing for: as an account without those services.

Every request gets the answer an account without the subscription gets, so that no client waits for
what never comes. A message that is not here (a log level, the end of something) has no answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ops.gateway_sim.reports import (
    Notice,
)
from ops.gateway_sim.requests import Unserved

_NOT_SUBSCRIBED: Final = {
    10: (10092, "Deep market data is not supported for this combination of security type/exchange"),
    18: (321, "Error validating request.-'bW' : cause - FA data operations ignored for non FA."),
    19: (321, "Error validating request.-'bW' : cause - FA data operations ignored for non FA."),
    21: (322, "Error processing request.-'bW' : cause - No options are held."),
    22: (162, "Historical Market Data Service error message:No scanner subscription."),
    52: (430, "We are sorry, but fundamentals data for the security specified is not available."),
    54: (200, "No security definition has been found for the request"),
    55: (200, "No security definition has been found for the request"),
    84: (10172, "Failed to request news article:Not allowed"),
    86: (10276, "News feed is not allowed."),
    96: (162, "Historical Market Data Service error message:No historical tick data here."),
    97: (10189, "Failed to request tick-by-tick data:No market data permissions"),
    100: (10276, "News feed is not allowed."),
    102: (10276, "News feed is not allowed."),
}

_EMPTY: Final[Mapping[int, Callable[[str, str], Sequence[str]]]] = {
    24: lambda _, __: ("19", "1", "<ScanParameterResponse/>"),
    67: lambda request_id, _: ("67", "1", request_id, ""),
    78: lambda request_id, _: ("76", request_id),
    79: lambda request_id, _: ("77", request_id, "0"),
    80: lambda _, account: ("78", "1", account, ""),
    82: lambda _, __: ("80", "0"),
    83: lambda request_id, _: ("82", request_id, "0"),
    85: lambda _, __: ("85", "0"),
    88: lambda request_id, _: ("89", request_id, "0"),
    104: lambda request_id, _: ("107", request_id, ""),
}


def refusal(request: Unserved) -> Notice | None:
    """Return the error this request gets, None if it gets none."""
    found = _NOT_SUBSCRIBED.get(request.message_id)
    return None if found is None else Notice(request.request_id, *found)


def empty_answer(request: Unserved, account: str) -> Sequence[str] | None:
    """Return the answer without anything in it, None for a request that has no answer."""
    written = _EMPTY.get(request.message_id)
    return None if written is None else written(str(request.request_id), account)
