#!/usr/bin/env python3
"""The origin of the benchmarks and of the soak: answers as it is asked to, counts, and fails when it is told.

usage: origin.py PORT CONTROL_PORT [LANES]     with LANES it works on so many requests at once, the others wait

On PORT, any path, with these in the query:
  size=N          bytes of body (1024)
  delay_ms=N      before the answer
  max_age=N       Cache-Control: max-age (3600); cacheable=0: private, no-store
  tag=NAME        Cache-Tag
  type=NAME       Content-Type (text/plain)
  version_s=N     the body is another one every N seconds, told by X-Version and ETag; see body_of()

On CONTROL_PORT:
  /count?path=P   how often that path was asked for
  /stats          as JSON: what came since the last clear, and seconds from the mood to the first good answer in it
  /mood?is=M      one of MOODS, from now on
  /clear          forgets the counts
"""

import asyncio
import collections
import json
import re
import socket
import struct
import sys
import time
import urllib.parse

MOODS = {
    "up": "answers",
    "refuse": "does not listen",
    "abort": "resets each connection at once",
    "silent": "reads and never answers",
    "cut": "resets in the middle of the body",
    "unavailable": "answers 503",
    "drip": "sends its bodies slowly, in small pieces",
}
DRIP_PIECES = 20
DRIP_PAUSE_S = 0.1
CUT_PAUSE_S = 0.05


def body_of(path, version, size):
    """What stands at each place is known from path and version."""
    text = f"{path} {version}\n".encode()
    return (text * (size // len(text) + 1))[:size]


def plain_body(size):
    return b"x" * size


def fields_of(lines):
    """Header lines by their names in lower case."""
    parts = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in parts}


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ")
        url = urllib.parse.urlsplit(target)
        self.path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.fields = fields_of(lines[1:])

    def number(self, name, default):
        return int(self.query.get(name, default))


def answer_to(request):
    """(status, header fields, body) of an origin that is well."""
    size = request.number("size", 1024)
    fields = [f"Content-Type: {request.query.get('type', 'text/plain')}"]
    if request.query.get("cacheable", "1") == "1":
        fields.append(f"Cache-Control: max-age={request.number('max_age', 3600)}")
    else:
        fields.append("Cache-Control: private, no-store")
    if "tag" in request.query:
        fields.append(f"Cache-Tag: {request.query['tag']}")
    if "version_s" not in request.query:
        return "200 OK", fields, plain_body(size)

    version = int(time.time() / request.number("version_s", 1))
    etag = f'"{version}"'
    fields += [f"ETag: {etag}", f"X-Version: {version}"]
    if request.fields.get("if-none-match") == etag:
        return "304 Not Modified", fields, None
    body = body_of(request.path, version, size)
    part = re.fullmatch(r"bytes=(\d+)-(\d*)", request.fields.get("range", ""))
    if not part or int(part[1]) >= size or request.fields.get("if-range", etag) != etag:
        return "200 OK", fields, body
    first, last = int(part[1]), min(int(part[2] or size - 1), size - 1)
    fields.append(f"Content-Range: bytes {first}-{last}/{size}")
    return "206 Partial Content", fields, body[first:last + 1]


def written(status, fields, body):
    lines = [f"HTTP/1.1 {status}", *fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def reset(writer):
    """Closes the connection with RST."""
    link = writer.get_extra_info("socket")
    if link is not None and link.fileno() >= 0:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Origin:
    def __init__(self, port, lanes):
        self.socket = socket.create_server(("127.0.0.1", port), backlog=4096)
        self.socket.setblocking(False)
        self.lanes = asyncio.Semaphore(lanes) if lanes else None
        self.mood = "up"
        self.mood_since = time.monotonic()
        self.is_listening = asyncio.Event()
        self.is_listening.set()
        self.writers = set()
        self.tasks = set()
        self.in_flight = 0
        self.clear()

    def clear(self):
        self.counts = collections.Counter()
        self.connections = self.requests = self.attempts = self.good = 0
        self.first_good = None
        self.peak = self.in_flight

    def stats(self):
        return {"connections": self.connections, "requests": self.requests, "attempts": self.attempts,
                "good": self.good, "first_good": self.first_good, "in_flight": self.in_flight, "peak": self.peak,
                "open": len(self.writers)}

    def set_mood(self, mood):
        if self.mood == "refuse" and mood != "refuse":
            self.socket.listen(4096)
            self.is_listening.set()
        elif self.mood != "refuse" and mood == "refuse":
            # Stops listening and keeps the port: nobody else can have it meanwhile.
            self.is_listening.clear()
            self.socket.shutdown(socket.SHUT_RD)
        if mood in ("refuse", "abort") or self.mood == "silent":
            for writer in list(self.writers):
                reset(writer)
        self.mood = mood
        self.mood_since = time.monotonic()
        self.first_good = None

    async def accept(self):
        loop = asyncio.get_running_loop()
        while True:
            await self.is_listening.wait()
            try:
                connection, _ = await loop.sock_accept(self.socket)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            task = loop.create_task(self.serve(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, connection):
        reader, writer = await asyncio.open_connection(sock=connection)
        self.connections += 1
        self.writers.add(writer)
        try:
            if self.mood == "abort":
                self.attempts += 1
                reset(writer)
                return
            while head := await reader.readuntil(b"\r\n\r\n"):
                request = Request(head)
                await reader.readexactly(int(request.fields.get("content-length", 0)))
                await self.respond(request, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def respond(self, request, reader, writer):
        self.counts[request.path] += 1
        self.requests += 1
        self.attempts += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.mood == "silent":
                await reader.read()
                return
            if self.lanes:
                async with self.lanes:
                    await asyncio.sleep(request.number("delay_ms", 0) / 1000)
            else:
                await asyncio.sleep(request.number("delay_ms", 0) / 1000)
            await self.send(answer_to(request), writer)
        finally:
            self.in_flight -= 1

    async def send(self, answer, writer):
        mood = self.mood
        if mood == "unavailable":
            answer = ("503 Service Unavailable", ["Cache-Control: no-store"], b"unavailable\n")
        head, body = written(*answer), answer[2] or b""
        if mood == "cut":
            writer.write(head + body[:len(body) // 2])
            await writer.drain()
            await asyncio.sleep(CUT_PAUSE_S)
            reset(writer)
            return
        if mood == "drip":
            writer.write(head)
            piece = len(body) // DRIP_PIECES + 1
            for at in range(0, len(body), piece):
                await asyncio.sleep(DRIP_PAUSE_S)
                writer.write(body[at:at + piece])
                await writer.drain()
            return
        writer.write(head + body)
        await writer.drain()
        if mood == "up":
            self.good += 1
            if self.first_good is None:
                self.first_good = time.monotonic() - self.mood_since

    async def control(self, reader, writer):
        try:
            request = Request(await reader.readuntil(b"\r\n\r\n"))
            if request.path == "/count":
                said = self.counts[request.query["path"]]
            elif request.path == "/stats":
                said = self.stats()
            elif request.path == "/mood":
                said = self.set_mood(request.query["is"])
            else:
                said = self.clear()
            writer.write(written("200 OK", ["Connection: close"], body := json.dumps(said).encode()) + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main():
    port, control_port, lanes = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    origin = Origin(port, lanes)
    async with await asyncio.start_server(origin.control, "127.0.0.1", control_port):
        await origin.accept()


if __name__ == "__main__":
    asyncio.run(main())
