"""What a message to the bot comes to: who may, what counts as of now, once, and how often."""

import msgspec
import pytest

from ops.chat.bot import Chat, ChatMessage, Sender, Update
from ops.chat.hearing import ALLOWANCE, REMEMBERED_MAX, STRANGERS_NAMED, Heard, Hearing, Verb

STARTED = 1_700_000_000.5
NOW = STARTED + 1_000
ANN, BEN = 4711, 4712


def hearing() -> Hearing:
    return Hearing((ANN, BEN), STARTED)


def written(
    text: str,
    number: int = 1,
    *,
    chat: int = ANN,
    at: float = NOW,
    of: Chat | None = None,
    **changed: object,
) -> Update:
    where = of or Chat(chat, "private")
    message = ChatMessage(number, int(at), where, Sender(chat), text)
    return Update(number, msgspec.structs.replace(message, **changed))


def test_a_kill_is_its_first_word_and_the_rest_its_reason() -> None:
    ear = hearing()
    texts = ["kill", "Kill", "/kill", "  kill  ", "kill fills I do not know ", "kill\nnow"]
    heard = [ear.hear(written(text, number), NOW) for number, text in enumerate(texts)]
    assert [(each.verb, each.text) for each in heard if each] == [
        *[(Verb.KILL, "")] * 4,
        (Verb.KILL, "fills I do not know"),
        (Verb.KILL, "now"),
    ]
    assert ear.counts.commands == len(texts)


def test_the_status_is_asked_for_with_or_without_a_slash() -> None:
    ear = hearing()
    assert ear.hear(written("status"), NOW) == Heard(ANN, Verb.STATUS)
    assert ear.hear(written("/STATUS", 2), NOW) == Heard(ANN, Verb.STATUS)


@pytest.mark.parametrize(
    "text", ["", "   ", "hello", "killed", "please kill", "resume", "flatten", "/start", "k" * 4096]
)
def test_anything_else_does_nothing_and_says_what_there_is(text: str) -> None:
    heard = hearing().hear(written(text), NOW)
    assert heard is not None
    assert heard.verb is Verb.NOTHING
    assert heard.text.startswith("Nothing was done. There are two commands: `status`, and `kill`")


@pytest.mark.parametrize(
    "message",
    [
        written("kill", chat=666),
        written("kill", chat=-ANN),
        written("kill", of=Chat(-100, "group")),
        written("kill", of=Chat(ANN, "group")),
        written("kill", of=Chat(ANN, "channel")),
        written("kill", sender=Sender(666)),
        written("kill", sender=None),
    ],
)
def test_a_chat_that_is_not_of_one_allowed_person_alone_is_counted_and_not_answered(
    message: Update,
) -> None:
    ear = hearing()
    assert ear.hear(message, NOW) is None
    assert (ear.counts.strangers, ear.counts.commands) == (1, 0)


def test_a_few_strangers_are_named_once_each_and_all_are_counted() -> None:
    ear = hearing()
    for number in range(50):
        ear.hear(written("kill", number, chat=9_000 + number % 25), NOW)
    assert ear.named == [9_000 + number for number in range(STRANGERS_NAMED)]
    assert ear.counts.strangers == 50


@pytest.mark.parametrize(
    ("age", "verb", "words"),
    [
        (0, Verb.KILL, ""),
        (60, Verb.KILL, ""),
        (61, Verb.NOTHING, "Ignored: it was 61 s under way, and 60 are taken. Nothing was done"),
        (-60, Verb.KILL, ""),
        (-61, Verb.NOTHING, "Ignored: the clock of this machine is 61 s behind Telegram's"),
    ],
)
def test_a_message_is_taken_for_a_minute(age: int, verb: Verb, words: str) -> None:
    written_at = int(NOW)
    heard = hearing().hear(written("kill", at=written_at), written_at + age)
    assert heard is not None
    assert heard.verb is verb
    assert heard.text.startswith(words)


def test_what_was_written_before_the_start_or_changed_later_is_ignored_and_answered_so() -> None:
    ear = Hearing((ANN,), NOW)
    before = ear.hear(written("kill", at=NOW - 5), NOW + 1)
    assert before is not None
    assert (before.verb, "before this chat was started" in before.text) == (Verb.NOTHING, True)
    message = written("kill", 2).message
    edited = ear.hear(Update(3, edited_message=message), NOW + 1)
    assert edited is not None
    assert (edited.verb, "an edited message is no command" in edited.text) == (Verb.NOTHING, True)
    assert ear.counts.ignored == 2


def test_a_message_is_heard_once_whatever_number_it_is_repeated_under() -> None:
    ear = hearing()
    first = written("kill", 7)
    assert ear.hear(first, NOW) is not None
    assert ear.hear(first, NOW + 1) is None
    assert ear.hear(msgspec.structs.replace(first, update_id=99), NOW + 2) is None
    assert (ear.counts.repeated, ear.counts.commands) == (2, 1)
    same_number_elsewhere = written("kill", 7, chat=BEN)
    assert ear.hear(same_number_elsewhere, NOW) == Heard(BEN, Verb.KILL)


def test_what_is_remembered_is_bounded() -> None:
    ear = hearing()
    for number in range(REMEMBERED_MAX + 50):
        ear.hear(written("status", number), NOW + number)
    first = ear.hear(written("status", 0, at=NOW + 20_000), NOW + 20_000)
    assert first is not None, "the oldest made room"
    assert ear.hear(written("status", REMEMBERED_MAX + 49), NOW) is None


def test_of_a_flood_so_many_are_answered_one_says_so_and_the_rest_is_silence() -> None:
    ear = hearing()
    most = ALLOWANCE[Verb.STATUS]
    heard = [ear.hear(written("status", number), NOW) for number in range(most + 5)]
    assert [each.verb for each in heard[:most] if each] == [Verb.STATUS] * most
    told = heard[most]
    assert told is not None
    assert told.text.startswith(f"Not taken: more than {most} in a minute")
    assert heard[most + 1 :] == [None] * 4
    assert ear.counts.flooded == 5
    later = ear.hear(written("status", 900, at=NOW + 61), NOW + 61)
    assert later == Heard(ANN, Verb.STATUS)


def test_a_flood_of_one_kind_or_chat_takes_nothing_from_a_kill() -> None:
    ear = hearing()
    for number in range(100):
        ear.hear(written("status", number), NOW)
        ear.hear(written("nonsense", 1_000 + number), NOW)
        ear.hear(written("kill", 2_000 + number, chat=BEN), NOW)
        ear.hear(written("kill", 3_000 + number, chat=666), NOW)
    assert ear.hear(written("kill why", 9_000), NOW) == Heard(ANN, Verb.KILL, "why")


def test_an_update_without_a_message_is_counted_as_unreadable() -> None:
    ear = hearing()
    assert ear.hear(Update(1), NOW) is None
    assert ear.counts.unreadable == 1
