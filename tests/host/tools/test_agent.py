"""The agent line's decoder: any way of cutting the bytes gives the same events, and noise does no harm."""
import pytest

from shoalcluster import agent

TALK = b"noise\x02 7 out 5\nhe\x02lo\x02 7 out 3\nxyz\x02 7 exit -2\n\x02 0 ready\n"


def joined(events):
    """Events with the pieces of one output put together."""
    result = []
    for event in events:
        if event[0] == "out" and result and result[-1][:2] == event[:2]:
            result[-1] = ("out", event[1], result[-1][2] + event[2])
        else:
            result.append(event)
    return result


EVENTS = [("out", 7, b"he\x02loxyz"), ("exit", 7, -2), ("ready",)]


@pytest.mark.parametrize("piece", range(1, len(TALK) + 1))
def test_pieces_of_any_size(piece):
    decoder, events = agent.Decoder(), []
    for start in range(0, len(TALK), piece):
        events += decoder.feed(TALK[start:start + piece])
    assert joined(events) == EVENTS


@pytest.mark.parametrize("noise", [b"\x02", b"\x02 x\n", b"\x02 1 out\n", b"\x02 1 out 99999999999\n", b"\x02 1 out -4\n",
                                   b"\x02" * 100, b"\x02 1 " + b"9" * 200])
def test_noise_before_a_header_is_skipped(noise):
    decoder = agent.Decoder()
    assert joined(decoder.feed(noise + b"\n" + TALK))[-3:] == EVENTS


def test_request_has_its_length():
    assert agent.request(3, "echo ü") == b"\x02 3 7\necho \xc3\xbc"
