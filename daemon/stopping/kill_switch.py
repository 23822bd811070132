"""The kill switch of this process: the permit file and a latch, set from any thread at once.

The hold that stays in the journal is placed by the core, once the loop comes to it.
"""

from contextlib import suppress

from daemon.stopping.permit import Permit


class KillSwitch:
    """`latched` stops every order at the send point; `latches` counts how often it was set.

    `took` says that it was this switch that took the permit away, and has not given it back.
    """

    def __init__(self, permit: Permit) -> None:
        """Go by `permit`."""
        self.permit = permit
        self.latched = False
        self.latches = 0
        self.took = False

    def latch(self) -> None:
        """Let no order leave from here on, whatever the loop is doing.

        Raises:
            OSError: the permit could not be taken away; this process is latched all the same.
        """
        self.latches += 1
        self.latched = True
        self.took = self.took or self.permit.granted
        self.permit.revoke()

    def recorded(self, latches: int) -> None:
        """Give the permit back behind a durable kill: its hold stops now, and a flatten may pass.

        `latches` is the count when the kill came; one that came since keeps the permit away. So
        does whoever took it by hand before the kill: it comes back by a resume alone.
        """
        if latches == self.latches and self.took:
            # Without a permit nothing leaves at all, which is no less safe.
            with suppress(OSError):
                self.permit.grant()
                self.took = False

    def release(self, latches: int) -> None:
        """Let orders leave again, unless a kill has come since `latches` were counted.

        Raises:
            OSError: the permit cannot be written, so nothing leaves.
        """
        if latches == self.latches:
            self.permit.grant()
            self.latched = self.took = False
