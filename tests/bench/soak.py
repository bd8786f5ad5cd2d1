#!/usr/bin/env python3
"""Minutes of mixed load on seawall with origins that fail in every way, and then: is anything left behind?

Four origins: one that is always well ("good"), two servers of one origin that flap ("pair"), and one more that flaps
("lonely"). Flapping is a way of failing (see tests/bench/origin.py) for some seconds, then another, drawn by --seed.
The load: hits, misses, expiring objects whose content changes, ranges, clients that go away and clients that read
slowly, routes with miss = async, push and pass, pushed objects, warming, purges hard and soft, reloads.

At its end:
  - the good origin's clients have seen no error, and no answer later than the bounds
  - objects that may be served stale were always answered
  - no answer was wrong: each body is the one that its X-Version says, whole or the part asked for
  - no client is stuck; when the load has gone, connections, fetches, waiters and queues have gone too
  - the resident memory has not grown over the last half
  - SIGTERM lets a request in flight finish, and the exit status is 0

The last line is `soak: passed` or says what failed, and the exit status is 0 only when it passed.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import origin as scripted
import processes

CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 2
timeout = {{ header = "5s", idle = "5s", send = "5s", shutdown = "10s" }}
[admin]
listen = "127.0.0.1:{admin_port}"
socket = "off"
[cache]
memory = "32MiB"
[collapse]
wait = "3s"
[push]
repeat = "1s"
[log]
level = "info"

[[origin]]
name = "good"
servers = ["http://127.0.0.1:{good}"]
idle_timeout = "3s"

[[origin]]
name = "pair"
servers = ["http://127.0.0.1:{pair_a}", "http://127.0.0.1:{pair_b}"]
balance = "least-conn"
{flapping}
health = {{ path = "/healthz", interval = "500ms", timeout = "400ms", fall = 2 }}

[[origin]]
name = "lonely"
servers = ["http://127.0.0.1:{lonely}"]
{flapping}
retry = {{ tries = 2, hedge_after = "500ms" }}

[[route]]
path = "/good/*"
origin = "good"
[[route]]
path = "/kept/*"
origin = "pair"
stale = {{ while_revalidate = "1h", if_error = "1h" }}
[[route]]
path = "/async/*"
origin = "lonely"
miss = "async"
prefer = true
[[route]]
path = "/push/*"
origin = "lonely"
miss = "push"
[[route]]
path = "/pass/*"
origin = "lonely"
miss = "pass"
[[route]]
path = "/lonely/*"
origin = "lonely"
[[route]]
origin = "pair"
"""

FLAPPING = """
timeout = { connect = "500ms", first_byte = "2s", between_bytes = "2s", send = "2s", total = "5s" }
idle_timeout = "3s"
limit = { in_flight = 64, queue = 64, queue_wait = "500ms", adaptive = true }
breaker = { open = "500ms", open_max = "4s" }
fill = { concurrent = 16, per_second = 200, queue = 500, deadline = "5s", cold_start = "2s" }
"""

# Longer than every time-out of the configuration together.
STUCK_S = 30
SETTLE_S = 30
SAMPLE_S = 1
PROGRESS_S = 30
GOOD_P99_MS = 250
GOOD_MAX_MS = 2000
RSS_GROWTH = 1.10
RSS_SLACK_BYTES = 8 << 20
FD_SLACK = 4
KEPT_KEYS = 20
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
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
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
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
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
            check_body(target, 4000, answer)

    async def send_body(self, client, counts):
        answer = await client.ask("/pass/upload?size=100&version_s=3600", "POST", body=b"u" * self.rng.randrange(200_000))
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
        what = self.rng.choice(({"tags": ["hot"]}, {"tags": ["once"]}, {"prefixes": ["http://soak/lonely/"]},
                                {"urls": [f"http://soak/hot/{self.rng.randrange(50)}?size=2048&max_age=2&tag=hot&version_s=5"]}))
        await self.administer(counts, "/v1/purge", "POST", json.dumps({**what, "soft": self.rng.random() < 0.5}).encode(),
                              [("Content-Type", "application/json")])

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
            await self.administer(counts, f"/v1/objects?url={url}", "PUT", scripted.body_of(path, version, 5000),
                                  [("Content-Type", "text/plain"), ("Cache-Control", "max-age=3"), ("X-Version", version)])

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
    return f"/kept/{key}?size=4000&max_age=1&version_s=5"


async def flap(origins, load, rng):
    """Each of the origins on its own, until the load is over; then all are well."""
    async def one(origin):
        while not load.is_over:
            mood = rng.choice(("up", *scripted.MOODS))
            await asyncio.to_thread(origin.set_mood, mood)
            until = time.monotonic() + rng.uniform(1, 8)
            while not load.is_over and time.monotonic() < until:
                await asyncio.sleep(0.2)
        await asyncio.to_thread(origin.set_mood, "up")
    await asyncio.gather(*(one(origin) for origin in origins))


class Server:
    """seawall, and what can be seen of it."""

    def __init__(self, process, admin_port):
        self.process = process
        self.admin_port = admin_port
        self.rss = []

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def metrics(self):
        values = {}
        for line in processes.fetch(self.admin_port, "/metrics").decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def busy(self):
        """What the metrics show that is not idle."""
        gauges = ("seawall_waiters", "seawall_fills_in_flight", "seawall_origin_in_flight{", "seawall_origin_queue{",
                  "seawall_server_in_flight", "seawall_fills_waiting", "seawall_fills_running", "seawall_http_connections")
        # The last one sees the question itself, which may come on a connection beside the one before.
        allowed = {"seawall_http_connections": 2}
        return [f"{name} is {value:.0f}" for name, value in self.metrics().items()
                if name.startswith(gauges) and value > allowed.get(name, 0)]


class Soak:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = folder
        self.rng = random.Random(arguments.seed)
        self.failures = []
        self.build = (processes.ROOT / arguments.build).resolve()

    def fail(self, text):
        self.failures.append(text)
        print(f"FAILED: {text}", flush=True)

    def run(self):
        with contextlib.ExitStack() as stack:
            good, *flapping = (stack.enter_context(processes.origin()) for _ in range(4))
            pair_a, pair_b, lonely = flapping
            port, admin_port = processes.free_port(), processes.free_port()
            config = self.folder / "seawall.toml"
            config.write_text(CONFIG.format(port=port, admin_port=admin_port, good=good.port, pair_a=pair_a.port,
                                            pair_b=pair_b.port, lonely=lonely.port, flapping=FLAPPING.strip()))
            log = stack.enter_context(open(self.folder / "seawall.log", "w+b"))
            process = processes.start([str(self.build / "seawall"), "serve", "-c", str(config)], admin_port, log)
            stack.callback(processes.stop, process)
            server = Server(process, admin_port)
            for key in range(KEPT_KEYS):
                processes.fetch(port, kept_target(key))
            server.metrics()
            files_before = self.settled_files(server)
            asyncio.run(self.storm(server, port, flapping))
            if process.poll() is None:
                self.check_quiet(server, (good, *flapping), files_before)
                self.check_memory(server)
                self.check_end(process, port)
            else:
                self.fail(f"seawall has ended with {process.returncode}")

    def settled_files(self, server):
        """Open files once the connections of the preparation have been closed for being idle."""
        counts = [server.open_files()]
        for _ in range(60):
            time.sleep(0.1)
            counts.append(server.open_files())
        return min(counts)

    async def storm(self, server, port, flapping):
        seconds = self.arguments.seconds
        load = Load(port, server.admin_port, self.rng)
        probes = {name: await self.probe(port, seconds, **flags) for name, flags in {
            "good, hits": dict(rate=200, keys=100, target="/good/hit-{}?size=1024"),
            "good, misses": dict(rate=50, keys=1 << 40, target="/good/miss-{}?size=4096&delay_ms=20"),
            "good, expiring": dict(rate=50, keys=50, target="/good/old-{}?size=1024&max_age=1"),
        }.items()}
        events = asyncio.create_task(load.follow_events())
        actors = [asyncio.create_task(actor) for actor in load.actors()]
        flaps = asyncio.create_task(flap(flapping, load, self.rng))
        await self.watch(server, load, seconds)
        load.is_over = True
        _, late = await asyncio.wait(actors, timeout=STUCK_S + 5)
        for task in late:
            task.cancel()
        if late:
            self.fail(f"{len(late)} clients did not come to an end")
        for task in actors:
            if task.done() and not task.cancelled() and task.exception():
                self.fail(f"a client failed: {task.exception()!r}")
        await flaps
        events.cancel()
        await asyncio.gather(events, return_exceptions=True)
        self.print_counts(load)
        for name, probe in probes.items():
            self.check_probe(name, await probe.communicate(), probe.returncode)
        for kind, texts in (("wrong answers", load.wrong), ("stuck clients", load.stuck)):
            if texts:
                self.fail(f"{len(texts)} {kind}, such as: " + "; ".join(sorted(set(texts))[:5]))

    async def probe(self, port, seconds, **flags):
        command = processes.load_command(self.build, port, seconds=seconds, connections=32, timeout=STUCK_S, **flags)
        return await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                    stderr=subprocess.PIPE)

    def check_probe(self, name, output, code):
        if code != 0:
            return self.fail(f"{name}: load ended with {code}: {output[1].decode().strip()}")
        report = json.loads(output[0])
        p99_ms, max_ms = report["p99_us"] / 1000, report["max_us"] / 1000
        print(f"{name}: {report['requests']} requests, p99 {p99_ms:.1f} ms, slowest {max_ms:.1f} ms", flush=True)
        bad = [f"{kind['count']} x {kind['status']} {kind['why']}" for kind in report["answers"] if kind["status"] != 200]
        bad += [f"{count} x {kind}" for kind, count in report["errors"].items()]
        if bad:
            self.fail(f"{name}: {', '.join(bad)}")
        if p99_ms > GOOD_P99_MS * self.arguments.slack or max_ms > GOOD_MAX_MS * self.arguments.slack:
            self.fail(f"{name}: p99 {p99_ms:.0f} ms, slowest {max_ms:.0f} ms")

    async def watch(self, server, load, seconds):
        """Samples the memory and reloads until the time is over, or the server."""
        begun = last_told = time.monotonic()
        next_reload = begun + 10
        while (now := time.monotonic()) < begun + seconds and server.process.poll() is None:
            server.rss.append(server.resident_bytes())
            if now >= next_reload:
                server.process.send_signal(signal.SIGHUP)
                next_reload = now + 20
            if now >= last_told + PROGRESS_S:
                last_told = now
                asked = sum(c.right + c.failed + c.cut + c.given_up for c in load.counts.values())
                print(f"{now - begun:5.0f} s: {asked} requests, {len(load.wrong)} wrong, {len(load.stuck)} stuck, "
                      f"{server.rss[-1] / 2**20:.0f} MiB, {server.open_files()} files", flush=True)
            await asyncio.sleep(SAMPLE_S)

    def print_counts(self, load):
        print(f"{'kind':16} {'right':>8} {'failed':>8} {'cut off':>8} {'left':>8} {'longest':>10}")
        for kind, counts in sorted(load.counts.items()):
            print(f"{kind:16} {counts.right:8} {counts.failed:8} {counts.cut:8} {counts.given_up:8} {counts.late_ms:7.0f} ms")

    def check_quiet(self, server, origins, files_before):
        deadline = time.monotonic() + SETTLE_S
        while True:
            left = server.busy()
            if (files := server.open_files()) > files_before + FD_SLACK:
                left.append(f"{files} open files, {files_before} before")
            left += [f"the origin on port {origin.port} has {stats['in_flight']} requests and {stats['open']} connections"
                     for origin in origins if (stats := origin.stats())["in_flight"] or stats["open"] > FD_SLACK]
            if not left:
                print(f"quiet: {files} open files, {files_before} before the load", flush=True)
                return
            if time.monotonic() > deadline:
                return self.fail(f"{SETTLE_S} s after the load: " + "; ".join(left))
            time.sleep(0.5)

    def check_memory(self, server):
        """Over the last half of the load, its first fifth against its last."""
        half = server.rss[len(server.rss) // 2:]
        fifth = max(len(half) // 5, 1)
        before, after = statistics.median(half[:fifth]), statistics.median(half[-fifth:])
        print(f"memory: {before / 2**20:.1f} MiB half-way, {after / 2**20:.1f} MiB at the end", flush=True)
        if after > before * RSS_GROWTH + RSS_SLACK_BYTES:
            self.fail(f"the resident memory grew from {before / 2**20:.0f} to {after / 2**20:.0f} MiB over the last half")

    def check_end(self, process, port):
        asyncio.run(self.end_with_request(process, port))
        try:
            code = process.wait(timeout=12)
        except subprocess.TimeoutExpired:
            return self.fail("seawall runs 12 s after SIGTERM")
        if code != 0:
            self.fail(f"seawall ended with {code}")

    async def end_with_request(self, process, port):
        client = Client(port)
        target = "/good/last?size=3000&delay_ms=1000&version_s=3600"
        request = asyncio.create_task(client.ask(target))
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        try:
            check_body(target, 3000, await asyncio.wait_for(request, STUCK_S))
        except (Cut, Wrong, OSError, asyncio.TimeoutError, TimeoutError) as error:
            self.fail(f"the request in flight at SIGTERM: {error!r}")
        client.close()

    def print_log(self):
        lines = (self.folder / "seawall.log").read_text("utf-8", "replace").splitlines()
        # A sanitizer's report comes first, and a long one.
        first = next((i for i, line in enumerate(lines) if "ERROR: " in line or "runtime error" in line), len(lines) - 20)
        print("\n".join(lines[max(first, 0):][:100]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--seconds", type=int, default=600, help="of load")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the same draws")
    parser.add_argument("--slack", type=float, default=1, help="times the bounds of latency, for slow builds")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Freed memory that a sanitizer holds back would look like a leak.
    os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=4")

    print(f"soak: {arguments.seconds} s, seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = Soak(arguments, pathlib.Path(folder))
        try:
            soak.run()
        except (processes.BenchError, OSError, subprocess.SubprocessError) as error:
            soak.fail(str(error))
        if soak.failures:
            soak.print_log()
    print("soak: failed: " + "; ".join(soak.failures) if soak.failures else "soak: passed", flush=True)
    sys.exit(1 if soak.failures else 0)


if __name__ == "__main__":
    main()
