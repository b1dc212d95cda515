"""Messages between the runner and its children."""

import json
import socket

import pytest

from runner.executors.wire import receive, send


class Channel:
    """A channel that gives at most `step` bytes at a time, then ends with `end`."""

    def __init__(self, data=b"", step=1 << 20, end=b""):
        self.data, self.step, self.end = bytearray(data), step, end

    def sendall(self, data):
        self.data += data

    def recv(self, size):
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
    channel = Channel(sent(*messages), step)
    assert [receive(channel) for _ in messages] == messages
    assert receive(channel) is None


def test_messages_cross_a_real_socket():
    """The same over the kind of channel that is used."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for message in MESSAGES[:-1]:
            send(ours, message)
            assert receive(theirs) == message
        ours.close()
        assert receive(theirs) is None


@pytest.mark.parametrize("end", [b"", ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_a_message_that_is_cut_off_is_none(end):
    """When the other end is gone the answer is None, at whatever byte it went."""
    data = sent({"a": [1, 2]})
    for size in range(len(data)):
        assert receive(Channel(data[:size], end=end)) is None


def test_a_time_out_is_not_the_end():
    """A channel that is silent for too long raises: the other end may still be there."""
    with pytest.raises(TimeoutError):
        receive(Channel(sent("x")[:5], end=TimeoutError()))


@pytest.mark.parametrize("data", [b"{", b"", b"\xff\xfe", b"nothing"], ids=repr)
def test_what_is_no_message_is_an_error(data):
    """Bytes that are no JSON raise ValueError, which the runner takes for a broken child."""
    with pytest.raises(ValueError):  # noqa: PT011  of whatever subclass
        receive(Channel(len(data).to_bytes(4, "big") + data))


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
