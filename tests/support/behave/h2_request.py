#!/usr/bin/python3
"""Sends one HTTP/2 request whose fields nobody has checked, by Debian's python3-h2, and tells what came back.

usage: h2_request.py PORT FIELDS [BODY]           FIELDS: JSON, [["name", "value"], ...]
       h2_request.py PORT --websocket PATH        an echo over extended CONNECT (RFC 8441)

Prints one line of JSON: status, headers, body, the code of RST_STREAM, the code of GOAWAY, whether it was closed.
"""

import json
import os
import socket
import struct
import sys

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

LIMIT_S = 10


def name_of(code):
    return ErrorCodes(code).name if code in list(ErrorCodes) else str(code)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1",
                                           validate_outbound_headers=False, normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.report = {"status": 0, "headers": [], "body": "", "reset": None, "goaway": None, "closed": False}
        self.has_settings = False
        self.has_ended = False
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self):
        """One step; False when nothing will come any more."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.report["closed"] = True
            return False
        for event in self.h2.receive_data(data):
            self.on_event(event)
        self.flush()
        return True

    def on_event(self, event):
        report = self.report
        if isinstance(event, h2.events.ResponseReceived):
            report["headers"] = [[name, value] for name, value in event.headers if name != ":status"]
            report["status"] = int(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            report["body"] += event.data.decode("latin-1")
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.has_ended = True
        elif isinstance(event, h2.events.StreamReset):
            report["reset"] = name_of(event.error_code)
            self.has_ended = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            report["goaway"] = name_of(event.error_code)
            self.has_ended = True
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.has_settings = True

    def request(self, fields, body):
        self.h2.send_headers(1, fields, end_stream=body is None)
        if body is not None:
            self.h2.send_data(1, body.encode("latin-1"), end_stream=True)
        self.flush()
        while not self.has_ended and self.read():
            continue

    def websocket(self, path):
        """Opens a tunnel, sends a masked text frame, and wants the same text back."""
        while not self.has_settings and self.read():
            continue
        self.report["enabled"] = self.h2.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL, 0)
        fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a.test"),
                  (":path", path), ("sec-websocket-version", "13"), ("origin", "http://a.test")]
        self.h2.send_headers(1, fields)
        self.flush()
        while not self.report["status"] and not self.has_ended and self.read():
            continue
        if self.report["status"] != 200:
            return
        text, mask = b"over HTTP/2", os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        self.h2.send_data(1, struct.pack("!BB", 0x81, 0x80 | len(text)) + mask + masked)
        self.flush()
        while len(self.report["body"]) < 2 + len(text) and not self.has_ended and self.read():
            continue
        self.h2.send_data(1, struct.pack("!BB", 0x88, 0x80) + mask, end_stream=True)
        self.flush()
        while not self.has_ended and self.read():
            continue


def main():
    client = Client(int(sys.argv[1]))
    if sys.argv[2] == "--websocket":
        client.websocket(sys.argv[3])
    else:
        fields = [tuple(field) for field in json.loads(sys.argv[2])]
        client.request(fields, sys.argv[3] if len(sys.argv) > 3 else None)
    print(json.dumps(client.report))


if __name__ == "__main__":
    main()
