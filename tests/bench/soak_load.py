"""The clients of the soak, and the moods of its origins: what is asked for, and whether the answers are right."""

import asyncio
import collections
import contextlib
import json
import re
import time

import origin as scripted

# Longer than every time-out of the configuration together.
STUCK_S = 30
# How many times likelier than each way of failing an origin is well.
WELL = 5
KEPT_KEYS = 20
KEPT_BYTES = 4000
LARGE_BYTES = 600_000
# What the cache says when the origin fails and nothing stored may stand in.
FAILURES = {502, 503, 504}


class Wrong(Exception):
    """An answer that no failure of an origin excuses."""


class Cut(Exception):
    """The connection ended in the middle of an answer."""


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body


class Client:
    """One connection, opened again whenever it has gone."""

    def __init__(self, port, host="soak"):
        self.port = port
        self.host = host
        self.reader = self.writer = None

    async def ask(self, target, method="GET", fields=(), body=b"", pause_s=0.0):
        """`pause_s`: how long each 64 KiB of the answer is left unread."""
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        if body or method in ("POST", "PUT"):
            head += f"Content-Length: {len(body)}\r\n"
        try:
            await self.begin(head.encode() + b"\r\n" + body)
            return await self.read(pause_s)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Cut(str(error)) from None
        except BaseException:
            self.close()
            raise

    async def begin(self, request):
        # A connection that the server has closed meanwhile is no failure of anything.
        if self.writer is None or self.reader.at_eof():
            self.close()
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(request)
        await self.writer.drain()

    async def read(self, pause_s):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = scripted.fields_of(head[1:])
        if "content-length" not in fields:
            raise Wrong(f"an answer without Content-Length: {head}")
        left = int(fields["content-length"])
        pieces = []
        while left > 0:
            pieces.append(await self.reader.readexactly(min(left, 65536)))
            left -= len(pieces[-1])
            if pause_s:
                await asyncio.sleep(pause_s)
        if fields.get("connection") == "close":
            self.close()
        return Answer(status, fields, b"".join(pieces))

    def close(self, with_reset=False):
        if self.writer is None:
            return
        if with_reset:
            scripted.reset(self.writer)
        else:
            self.writer.close()
        self.reader = self.writer = None


def check_body(target, size, answer, part=None):
    """The body is what the origin makes of the path at the version that the answer names."""
    path = target.split("?")[0]
    version = answer.fields.get("x-version")
    if version is None:
        raise Wrong(f"{target}: {answer.status} without X-Version: {answer.fields}")
    if answer.status == 200:
        expected = scripted.body_of(path, int(version), size)
    elif answer.status == 206 and part:
        expected = scripted.body_of(path, int(version), size)[part[0]:part[1] + 1]
        if answer.fields.get("content-range") != f"bytes {part[0]}-{part[1]}/{size}":
            raise Wrong(f"{target}: bytes {part} asked for, got {answer.fields.get('content-range')}")
    else:
        raise Wrong(f"{target}: {answer.status}")
    if answer.body != expected:
        raise Wrong(f"{target}: {answer.status} with {len(answer.body)} bytes that are not those of version {version}")


class Counts:
    """What became of one kind of request."""

    def __init__(self):
        self.right = self.failed = self.cut = self.given_up = 0
        self.late_ms = 0.0


class Load:
    """All the clients but those of load.cc."""

    def __init__(self, port, admin_port, rng):
        self.port = port
        self.admin_port = admin_port
        self.rng = rng
        self.counts = collections.defaultdict(Counts)
        self.wrong = []
        self.stuck = []
        self.is_over = False
        self.misses = 0
        self.wanted = asyncio.Queue(maxsize=1000)  # URLs that miss events told

    def actors(self):
        kinds = [(self.hot, 4), (self.miss, 4), (self.range_of_large, 3), (self.leave, 3), (self.read_slowly, 2),
                 (self.ask_async, 3), (self.ask_push, 2), (self.kept, 3), (self.send_body, 2), (self.ask_good, 3),
                 (self.purge, 1), (self.warm, 1), (self.push_object, 1)]
        return [self.act(kind) for kind, many in kinds for _ in range(many)]

    async def act(self, kind):
        client = Client(self.port)
        counts = self.counts[kind.__name__]
        while not self.is_over:
            begun = time.monotonic()
            try:
                await asyncio.wait_for(kind(client, counts), STUCK_S)
            except Cut:
                counts.cut += 1
                if kind in (self.kept, self.ask_good):
                    self.wrong.append(f"{kind.__name__}: cut off")
            except Wrong as error:
                self.wrong.append(f"{kind.__name__}: {error}")
            except (asyncio.TimeoutError, TimeoutError):
                client.close()
                self.stuck.append(f"{kind.__name__}: no end after {STUCK_S} s")
            counts.late_ms = max(counts.late_ms, (time.monotonic() - begun) * 1000)
            await asyncio.sleep(self.rng.uniform(0, 0.05))
        client.close()

    def judge(self, counts, answer, allowed):
        """True when it is an answer to look into; a failure that is allowed here is counted."""
        if answer.status in allowed:
            counts.failed += 1
            return False
        counts.right += 1
        return True

    async def hot(self, client, counts):
        path = f"/{self.rng.choice(('hot', 'lonely'))}/{self.rng.randrange(50)}"
        target = f"{path}?size=2048&max_age=2&tag=hot&version_s=5"
        answer = await client.ask(target)
        if self.judge(counts, answer, FAILURES):
            check_body(target, 2048, answer)

    async def miss(self, client, counts):
        self.misses += 1
        target = f"/{self.rng.choice(('miss', 'lonely'))}/once-{self.misses}?size=16384&tag=once&version_s=3600"
        answer = await client.ask(target)
        if self.judge(counts, answer, FAILURES):
            check_body(target, 16384, answer)

    def large(self, prefix):
        return f"/{prefix}/large-{self.rng.randrange(6)}?size={LARGE_BYTES}&max_age=3&version_s=7"

    async def range_of_large(self, client, counts, prefix="hot", allowed=FAILURES):
        target = self.large(prefix)
        first = self.rng.randrange(LARGE_BYTES)
        part = (first, min(first + self.rng.randrange(100_000), LARGE_BYTES - 1))
        answer = await client.ask(target, fields=[("Range", f"bytes={part[0]}-{part[1]}")])
        if self.judge(counts, answer, allowed):
            check_body(target, LARGE_BYTES, answer, part)

    async def leave(self, client, counts):
        """Goes away before, during or right after the answer, with FIN or RST."""
        delay_ms = self.rng.choice((0, 300, 1000))
        target = f"{self.large(self.rng.choice(('hot', 'lonely', 'good', 'pass')))}&delay_ms={delay_ms}"
        try:
            await client.begin(f"GET {target} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
            if self.rng.random() < 0.5:
                await asyncio.wait_for(client.reader.read(1000), 0.3)
            else:
                await asyncio.sleep(self.rng.uniform(0, 0.2))
        except (ConnectionError, asyncio.TimeoutError, TimeoutError):
            pass
        client.close(with_reset=self.rng.random() < 0.5)
        counts.given_up += 1

    async def read_slowly(self, client, counts):
        target = self.large(self.rng.choice(("hot", "lonely")))
        answer = await client.ask(target, pause_s=self.rng.uniform(0, 0.3))
        if self.judge(counts, answer, FAILURES):
            check_body(target, LARGE_BYTES, answer)

    async def ask_async(self, client, counts):
        target = f"/async/{self.rng.randrange(200)}?size=3000&max_age=1&tag=hot&version_s=3600"
        prefer = self.rng.choice(([], [], [("Prefer", "wait=1")], [("Prefer", "respond-async")]))
        answer = await client.ask(target, fields=prefer)
        if self.judge(counts, answer, FAILURES):
            check_body(target, 3000, answer)

    async def ask_push(self, client, counts):
        target = f"/push/{self.rng.randrange(50)}"
        answer = await client.ask(target)
        if self.judge(counts, answer, {503}):
            check_body(target, 5000, answer)

    async def kept(self, client, counts):
        target = kept_target(self.rng.randrange(KEPT_KEYS))
        answer = await client.ask(target)
        if self.judge(counts, answer, ()):
            check_body(target, KEPT_BYTES, answer)

    async def send_body(self, client, counts):
        body = b"u" * self.rng.randrange(200_000)
        answer = await client.ask("/pass/upload?size=100&version_s=3600", "POST", body=body)
        if self.judge(counts, answer, FAILURES):
            check_body("/pass/upload", 100, answer)

    async def ask_good(self, client, counts):
        if self.rng.random() < 0.5:
            return await self.range_of_large(client, counts, "good", ())
        target = f"/good/mixed-{self.rng.randrange(100)}?size=5000&max_age=2&tag=hot&version_s=3"
        answer = await client.ask(target)
        if self.judge(counts, answer, ()):
            check_body(target, 5000, answer)

    async def purge(self, _, counts):
        await asyncio.sleep(self.rng.uniform(0, 1))
        url = f"http://soak/hot/{self.rng.randrange(50)}?size=2048&max_age=2&tag=hot&version_s=5"
        what = self.rng.choice(({"tags": ["hot"]}, {"tags": ["once"]}, {"prefixes": ["http://soak/lonely/"]},
                                {"urls": [url]}))
        body = json.dumps({**what, "soft": self.rng.random() < 0.5}).encode()
        await self.administer(counts, "/v1/purge", "POST", body, [("Content-Type", "application/json")])

    async def warm(self, _, counts):
        await asyncio.sleep(self.rng.uniform(1, 3))
        urls = [f"http://soak/lonely/warm-{self.rng.randrange(1000)}?size=2000&version_s=3600" for _ in range(50)]
        await self.administer(counts, "/v1/fills", "POST", "\n".join(urls).encode(), [("Content-Type", "text/plain")])

    async def push_object(self, _, counts):
        """What an origin with pushed objects does: puts what the miss events ask for."""
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            url = await asyncio.wait_for(self.wanted.get(), 1)
            path = url.removeprefix("http://soak")
            version = int(time.time())
            fields = [("Content-Type", "text/plain"), ("Cache-Control", "max-age=3"), ("X-Version", version)]
            body = scripted.body_of(path, version, 5000)
            await self.administer(counts, f"/v1/objects?url={url}", "PUT", body, fields)

    async def administer(self, counts, target, method, body, fields):
        client = Client(self.admin_port, "127.0.0.1")
        answer = await client.ask(target, method, fields=fields, body=body)
        client.close()
        if answer.status >= 300:
            raise Wrong(f"{method} {target}: {answer.status} {answer.body.decode('utf-8', 'replace')}")
        counts.right += 1

    async def follow_events(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin_port)
        writer.write(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            while line := await reader.readline():
                if found := re.search(rb'"url":"([^"]+)"', line):
                    with contextlib.suppress(asyncio.QueueFull):
                        self.wanted.put_nowait(found[1].decode())
            self.wrong.append("follow_events: the stream of events ended")
        finally:
            writer.close()


def kept_target(key):
    return f"/kept/{key}?size={KEPT_BYTES}&max_age=1&version_s=5"


async def flap(origins, load, rng):
    """Each of the origins on its own, until the load is over; then all are well."""
    async def one(origin):
        while not load.is_over:
            mood = rng.choice(("up",) * WELL + tuple(scripted.MOODS))
            await asyncio.to_thread(origin.set_mood, mood)
            until = time.monotonic() + rng.uniform(1, 8)
            while not load.is_over and time.monotonic() < until:
                await asyncio.sleep(0.2)
        await asyncio.to_thread(origin.set_mood, "up")
    await asyncio.gather(*(one(origin) for origin in origins))
