"""What margin orders would need: asked by what-if orders, which are never carried out.

A batch is asked order by order, and what each would change is added up. An order whose answer
leaves a figure unset leaves the whole batch without one.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from daemon.brokers import Inbox
from daemon.brokers.gateway import translate
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.messages import Notice
from daemon.brokers.gateway.pacing import Lane
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.terms import Margins, OrderTerms
from events import MarginReported, MarginUnavailable, OrderIntended

Figures = tuple[Decimal | None, Decimal | None]


class WhatIfs:
    """Asks, and answers each request once."""

    def __init__(
        self,
        session: GatewaySession,
        contracts: Contracts,
        inbox: Inbox,
        number: Callable[[], int],
    ) -> None:
        """Ask over `session`, each order with a `number` of its own; answers go to `inbox`."""
        self._session = session
        self._number = number
        self._contracts = contracts
        self._inbox = inbox
        self._open: dict[int, asyncio.Future[Margins]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Find out what `intents` would need together."""
        task = asyncio.get_running_loop().create_task(self._ask(request_id, intents))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answered(self, margins: Margins) -> None:
        """Take an answer; the first may come without figures, and the real one after it."""
        future = self._open.get(margins.order_id)
        figures = (*margins.initial, *margins.maintenance, *margins.equity)
        if future is not None and not future.done() and None not in figures:
            future.set_result(margins)

    def failed(self, notice: Notice) -> bool:
        """Take an error about a what-if; say whether it was about one."""
        future = self._open.get(notice.about)
        if future is None:
            return False
        if not future.done():
            future.set_exception(ValueError(f"{notice.code}: {notice.text}"))
        return True

    def lost(self) -> None:
        """Answer what cannot be answered any more."""
        for future in self._open.values():
            if not future.done():
                future.set_exception(ConnectionError("the connection ended"))

    async def _ask(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        why_not = self._session.why_not
        if why_not:
            self._inbox(MarginUnavailable(request_id, why_not))
            return
        try:
            answers = [await self._ask_one(intent) for intent in intents]
        except TimeoutError:
            self._inbox(MarginUnavailable(request_id, "no answer with figures came in time"))
        except (ValueError, ConnectionError, KeyError) as error:
            self._inbox(MarginUnavailable(request_id, str(error)))
        else:
            self._inbox(
                MarginReported(
                    request_id,
                    _together([each.initial for each in answers]),
                    _together([each.maintenance for each in answers]),
                    _together([each.equity for each in answers]),
                )
            )

    async def _ask_one(self, intent: OrderIntended) -> Margins:
        kind, time_in_force = translate.order_words(intent)
        terms = OrderTerms(
            intent.quantity,
            kind,
            time_in_force,
            intent.limit_price,
            intent.stop_price,
            intent.outside_rth,
            self._session.settings.account,
            "",
            what_if=True,
        )
        contract = self._contracts.of(intent.symbol)
        number = self._number()
        future: asyncio.Future[Margins] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        try:
            self._session.send(
                Lane.ORDER, lambda: self._session.wire.place(number, contract, terms)
            )
            async with asyncio.timeout(self._session.timing.what_if):
                return await future
        finally:
            del self._open[number]


def _together(figures: Sequence[Figures]) -> Decimal:
    """Return what is there before all of them, and what each changes, together."""
    total = Decimal(0)
    for position, (before, after) in enumerate(figures):
        assert before is not None, "an answer without figures is none"
        assert after is not None, "as above"
        total += after if position == 0 else after - before
    return total
