"""Who gets to the control socket besides its own user: the users named, one by one, nobody else.

The folder and the socket carry an access list of the file system: the folder may be passed through,
the socket written to. A group or everybody would be more than was asked for.
"""

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import msgspec

_ACL: Final = "system.posix_acl_access"
_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
_NO_ID: Final = 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_PASS, _CONNECT = 0o1, 0o6


class OutOfReach(Exception):
    """A user who may command cannot be let in; the text says where it ends, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.hint = hint


class _Entry(msgspec.Struct, frozen=True):
    tag: int
    permissions: int
    id: int


def passing(folder: Path) -> set[int]:
    """Return who may pass through `folder` by a list of ours; nobody where there is another one."""
    entries = list(_entries(folder))
    users = [each for each in entries if each.tag == _USER]
    rest = {each.tag: each.permissions for each in entries if each.tag != _USER}
    is_ours = rest == {_OWNER: 0o7, _GROUP: 0, _MASK: _PASS, _OTHERS: 0}
    return {each.id for each in users if each.permissions == _PASS} if is_ours else set()


def let_pass(folder: Path, uids: Collection[int]) -> None:
    """Let `uids` through `folder`, which is its user's alone besides.

    Raises:
        OutOfReach: a folder above is closed to one of them, or no list can be kept here.
    """
    for uid in sorted(uids):
        for above in folder.parents:
            if not _may_pass(above, uid):
                message = (
                    f"control.allowed_uids: user {uid} cannot get to {folder}: {above} is closed "
                    "to that user"
                )
                raise OutOfReach(
                    message,
                    "give the daemon a folder that can be reached in RUNTIME_DIRECTORY, or let "
                    "systemd make it (RuntimeDirectory=traded); or leave allowed_uids empty",
                )
    _write(folder, 0o7, _PASS, {*uids, *passing(folder)})


def let_connect(path: Path, uids: Collection[int]) -> None:
    """Let `uids` call the socket at `path`.

    Raises:
        OutOfReach: no list can be kept here.
    """
    _write(path, 0o6, _CONNECT, uids)


def _write(path: Path, own: int, given: int, uids: Collection[int]) -> None:
    entries = (
        _Entry(_OWNER, own, _NO_ID),
        *(_Entry(_USER, given, uid) for uid in sorted(uids)),
        _Entry(_GROUP, 0, _NO_ID),
        _Entry(_MASK, given, _NO_ID),
        _Entry(_OTHERS, 0, _NO_ID),
    )
    packed = (_ENTRY.pack(each.tag, each.permissions, each.id) for each in entries)
    try:
        os.setxattr(path, _ACL, b"".join((_VERSION, *packed)))
    except OSError as error:
        message = f"control.allowed_uids: {path} takes no access list: {error.strerror}"
        raise OutOfReach(
            message, "give the daemon a folder on a tmpfs, such as /run, in RUNTIME_DIRECTORY"
        ) from error


def _entries(path: Path) -> Iterator[_Entry]:
    try:
        found = os.getxattr(path, _ACL)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return
        raise
    for fields in _ENTRY.iter_unpack(found.removeprefix(_VERSION)):
        yield _Entry(*fields)


def _may_pass(folder: Path, uid: int) -> bool:
    """Say whether `uid` may pass through `folder`; where it has a list, its user knows why."""
    found = folder.stat()
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if any(_entries(folder)):
        return True
    if found.st_gid in _groups(uid):
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _groups(uid: int) -> set[int]:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return set()
    return {user.pw_gid, *(each.gr_gid for each in grp.getgrall() if user.pw_name in each.gr_mem)}
