"""Frames of the TWS wire, whatever TCP makes of them."""

import pytest

from ops.gateway_sim.frames import BadFrame, FrameReader, Greeting, fields, frame, greeting

# What ib_async 2.1.0 opens with, and then its startApi as client 7.
GREETING = b"API\0" + b"\x00\x00\x00\x09" + b"v157..178"
START = b"\x00\x00\x00\x08" + b"71\x002\x007\x00\x00"


def test_many_frames_in_one_segment_come_out_one_by_one() -> None:
    assert list(FrameReader().feed(GREETING + START + START)) == [
        b"v157..178",
        b"71\x002\x007\x00\x00",
        b"71\x002\x007\x00\x00",
    ]


def test_a_frame_that_comes_byte_by_byte_comes_out_whole() -> None:
    reader = FrameReader()
    pieces = [bytes([byte]) for byte in GREETING + START]
    assert [body for piece in pieces for body in reader.feed(piece)] == [
        b"v157..178",
        b"71\x002\x007\x00\x00",
    ]


def test_every_cut_of_the_stream_gives_the_same_frames() -> None:
    stream = GREETING + START + START
    for cut in range(len(stream) + 1):
        reader = FrameReader()
        bodies = [*reader.feed(stream[:cut]), *reader.feed(stream[cut:])]
        assert len(bodies) == 3, cut


@pytest.mark.parametrize("opening", [b"GET / HTTP/1.1", b"API1", b"\x16\x03\x01"])
def test_another_protocol_is_refused_at_its_first_byte_that_differs(opening: bytes) -> None:
    with pytest.raises(BadFrame, match="begins with"):
        list(FrameReader().feed(opening))


def test_a_length_no_frame_has_is_refused_before_its_bytes_are_waited_for() -> None:
    reader = FrameReader()
    list(reader.feed(GREETING))
    with pytest.raises(BadFrame, match="4294967295 bytes"):
        list(reader.feed(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (b"v157..178", Greeting(157, 178)),
        (b"v100..226", Greeting(100, 226)),
        (b"v178", Greeting(178, 178)),
        (b"v157..178 +PACEAPI", Greeting(157, 178, "+PACEAPI")),
    ],
)
def test_a_greeting_names_the_versions_and_the_options(said: bytes, means: Greeting) -> None:
    assert greeting(said) == means


@pytest.mark.parametrize("said", [b"", b"157..178", b"v157..", b"v1x", b"71\x002\x007\x00\x00"])
def test_a_greeting_that_names_no_versions_is_refused(said: bytes) -> None:
    with pytest.raises(BadFrame, match="names versions"):
        greeting(said)


def test_fields_end_with_nul_and_may_be_empty() -> None:
    assert fields(b"71\x002\x007\x00\x00") == ("71", "2", "7", "")
    assert frame(["71", "2", "7", ""]) == START


def test_a_field_without_an_end_is_refused() -> None:
    with pytest.raises(BadFrame, match="does not end with NUL"):
        fields(b"71\x002\x007")


def test_bytes_that_are_no_text_are_kept_readable_not_refused() -> None:
    assert fields(b"9\x00\xff\x00") == ("9", "\\xff")
