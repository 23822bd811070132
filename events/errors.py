"""What can be wrong with a journal. Each says what was found and what the operator runs next."""


class JournalError(Exception):
    """The journal cannot be used as it is.

    `hint` is the one thing to do next. Nothing is ever repaired in place.
    """

    hint = "run `traded verify --journal FILE` and keep a copy of the file before anything else"

    def __init__(self, found: str, hint: str | None = None) -> None:
        """Say what was `found`; `hint` replaces the class's advice where there is better."""
        super().__init__(found)
        self.hint = hint or self.hint

    def __str__(self) -> str:
        """Return what was found and what to do next, on two lines."""
        return f"{self.args[0]}\n  next: {self.hint}"


class JournalOutOfReach(JournalError):
    """Nothing is known of the file: this user, or this disk, lets nobody read it."""

    hint = (
        "its folder has to be writable for this user, on a disk that is: SQLite keeps a file "
        "beside the journal to read it; or read a copy, made with the -wal file"
    )


class JournalDiskFailed(JournalOutOfReach):
    """Nothing is known of the file: its disk is full, or fails."""

    hint = (
        "make room on its disk, or see what ails it: SQLite keeps a file beside the journal to "
        "read it"
    )


class JournalMissing(JournalError):
    """There is no journal at that path."""

    hint = "start one with `traded run`, or name another with --journal FILE"


class JournalForeign(JournalError):
    """The file is not one of ours, or not this journal."""

    hint = "check the path; the file was not touched"


class JournalOfAnotherAccount(JournalError):
    """The journal is whole, and of another account, mode or time than configured."""

    hint = "set journal.path to another file, or mode and account back"


class JournalNewer(JournalError):
    """A newer traded wrote the file."""

    hint = "run the newer traded again; the file was not touched"


class JournalDamaged(JournalError):
    """The content contradicts itself."""


class JournalTailLost(JournalDamaged):
    """The witness remembers events the file no longer has, or another history."""

    hint = (
        "events are missing: look for the -wal file beside the journal and put it back, "
        "or restore the newest backup; do not delete the witness"
    )


class JournalLocked(JournalError):
    """Another process writes this journal."""

    hint = "use the running daemon, or stop it first"

    def __init__(self, found: str, pid: int | None) -> None:
        """Name the holder by `pid`, None when it could not be read."""
        super().__init__(found)
        self.pid = pid


class JournalShared(JournalError):
    """Another program checkpoints the file, which this version of SQLite does not bear."""

    hint = (
        "run traded on SQLite 3.51.3 or newer (3.50.7, 3.44.6) and Litestream on a build with the "
        "same fix; or stop Litestream, remove its folder beside the journal, and its tables: "
        "`sqlite3 JOURNAL 'DROP TABLE _litestream_seq; DROP TABLE _litestream_lock'`"
    )


class JournalWriteFailed(JournalError):
    """An append raised: its events may or may not be in the file, so this process must stop."""

    hint = "check the disk, then start again: the restart replays what was really written"


class UnknownEvent(JournalError):
    """An event of a kind this version does not know."""

    hint = "run the version of traded that wrote it; the file was not touched"
