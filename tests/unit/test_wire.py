"""Messages between the runner and its children."""

import json
import socket

import pytest

from runner.executors.wire import Mailbox, send


class Channel:
    """A channel that gives at most `step` bytes at a time, then ends with `end`."""

    def __init__(self, data=b"", step=1 << 20, end=b""):
        self.data, self.step, self.end = bytearray(data), step, end

    def sendall(self, data):
        self.data += data

    def recv(self, size, _flags=0):
        if not self.data and isinstance(self.end, BaseException):
            raise self.end
        part = self.data[: min(size, self.step)]
        del self.data[: len(part)]
        return bytes(part)


def sent(*messages):
    channel = Channel()
    for message in messages:
        send(channel, message)
    return bytes(channel.data)


MESSAGES = [
    None,
    {},
    [],
    "text",
    {"failure": None},
    {"id": 2**63 - 1, "seconds": 0.1, "list": [1, [2, {}]]},
    {"text": "Über „Größe“ 日本 🎉 \x00\n\x1b"},
    {"half a character": "\ud800"},
    {"float": float("inf")},
    "x" * 300_000,
]


@pytest.mark.parametrize("step", [1, 3, 4096, 1 << 20])
def test_messages_arrive_whole_however_they_are_cut(step):
    """Messages come in order and unchanged, whatever pieces the channel makes of them."""
    messages = [m for m in MESSAGES if step > 4 or len(str(m)) < 1000]
    mailbox = Mailbox(Channel(sent(*messages), step))
    assert [mailbox.wait() for _ in messages] == messages
    assert (mailbox.wait(), mailbox.closed) == (None, True)


def test_messages_cross_a_real_socket():
    """The same over the kind of channel that is used."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        mailbox = Mailbox(theirs)
        for message in MESSAGES[:-1]:
            send(ours, message)
            assert mailbox.wait() == message
        ours.close()
        assert (mailbox.wait(), mailbox.closed) == (None, True)


def test_a_look_waits_for_nobody():
    """It gives what is whole by now, and keeps the beginning of what is not."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        mailbox = Mailbox(theirs)
        assert mailbox.look() == []
        ours.sendall(sent("first", "second", "third")[:-1])
        assert (mailbox.look(), mailbox.look()) == (["first", "second"], [])
        ours.sendall(b'"')
        ours.close()
        assert mailbox.look() == ["third"]
        assert (mailbox.look(), mailbox.closed) == ([], True)


def test_a_look_reads_only_so_much():
    """A channel that never runs dry does not hold the reader for ever."""
    endless = Channel(sent("x" * 1000) * 1000)
    found = Mailbox(endless).look()
    assert found[0] == "x" * 1000
    assert endless.data


@pytest.mark.parametrize("end", [b"", ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_a_message_that_is_cut_off_is_none(end):
    """When the other end is gone the answer is None, at whatever byte it went."""
    data = sent({"a": [1, 2]})
    for size in range(len(data)):
        mailbox = Mailbox(Channel(data[:size], end=end))
        assert (mailbox.wait(), mailbox.closed) == (None, True)


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe", b"nothing"], ids=repr)
def test_what_is_no_message_is_an_error(data):
    """Bytes that are no JSON raise ValueError, which the runner takes for a broken child."""
    with pytest.raises(ValueError):  # noqa: PT011  of whatever subclass
        Mailbox(Channel(len(data).to_bytes(4, "big") + data)).wait()


def test_a_message_that_is_too_long_is_an_error():
    """Nobody collects gigabytes because four bytes announce them."""
    with pytest.raises(ValueError, match="a message of 4294967295 bytes"):
        Mailbox(Channel(b"\xff" * 4)).wait()


def test_the_length_counts_bytes():
    """The four bytes before a message hold its length, most significant first."""
    data = sent({"ä": "ö"})
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    assert json.loads(data[4:]) == {"ä": "ö"}


def test_a_value_that_is_no_json_is_not_sent_in_part():
    """What cannot be written raises before the first byte is sent."""
    channel = Channel()
    with pytest.raises(TypeError):
        send(channel, {"a": object()})
    assert not channel.data
