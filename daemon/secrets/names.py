"""The secrets there are, by name."""

from typing import Final, NewType

SecretName = NewType("SecretName", str)

ACCOUNT: Final = SecretName("ibkr_account")
WATCH_TOKEN: Final = SecretName("traded_watch_token")
ALERT_URLS: Final = SecretName("traded_alert_urls")
PING_URL: Final = SecretName("traded_ping_url")
CHAT_TOKEN: Final = SecretName("traded_chat_token")
SECRETS: Final = {
    ACCOUNT: "the number of the account at Interactive Brokers",
    WATCH_TOKEN: "what a browser or a scraper shows to `traded watch`",
    ALERT_URLS: "where alerts go, as Apprise's URLs, separated by blanks",
    PING_URL: "what is asked every minute while all is well, so that its silence is an alarm",
    CHAT_TOKEN: "the token of the Telegram bot by which `traded chat` is spoken to",
}
"""Every secret, and what it is for."""

PASSPHRASE: Final = SecretName("traded_secrets_passphrase")
"""The credential with the passphrase of the encrypted file, where systemd hands it over."""
PASSPHRASE_FILE: Final = "TRADED_SECRETS_PASSPHRASE_FILE"  # noqa: S105 - a name, no secret
"""The variable that names a file with it."""
SECRETS_FILE: Final = "TRADED_SECRETS_FILE"
"""The variable that says where the encrypted file is."""


class BadSecret(Exception):
    """A secret is there and cannot be used; the text never has it in it."""
