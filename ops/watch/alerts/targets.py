"""Where alerts go: the addresses are one secret, Apprise's URLs, with a tag before them or not."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from daemon.secrets.names import ALERT_URLS, BadSecret
from daemon.secrets.sources import find_secret

_TAGGED: Final = re.compile(r"(?:(?P<tag>[a-z0-9][a-z0-9_-]{0,19})=)?(?P<url>[a-z0-9+-]+://\S+)")


class Target(msgspec.Struct, frozen=True):
    """One address. It shows its name, its tag and what kind it is, and never more of it."""

    name: str
    tag: str
    url: str

    @property
    def kind(self) -> str:
        """The service it is of."""
        return self.url.partition("://")[0]

    def __repr__(self) -> str:
        """Return it without the address."""
        return f"<target {self.name}, {self.kind}://...>"


def targets_in(environment: Mapping[str, str]) -> list[Target]:
    """Return the targets that are set; there may be none.

    Raises:
        BadSecret: the secret cannot be read, or one of them is no URL of a kind that is known.
    """
    found = find_secret(ALERT_URLS, environment)
    return list(_targets(found.split())) if found else []


def urls_in(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the addresses themselves, for what must never be written."""
    try:
        yield from (target.url for target in targets_in(environment))
    except BadSecret:
        return  # Whoever needs them says so.


def _targets(words: list[str]) -> Iterator[Target]:
    names: dict[str, int] = {}
    for number, word in enumerate(words, 1):
        found = _TAGGED.fullmatch(word)
        if found is None:
            what = "is neither URL nor TAG=URL (a tag is of a-z, 0-9, '-', '_')"
            raise BadSecret(f"{ALERT_URLS}: number {number} of {len(words)} {what}")
        target = Target("", found["tag"] or "", found["url"])
        name = target.tag or target.kind
        names[name] = names.get(name, 0) + 1
        unlike = f"-{names[name]}" if names[name] > 1 else ""
        yield msgspec.structs.replace(target, name=f"{name}{unlike}")
