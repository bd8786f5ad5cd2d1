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
  - the resident memory was never past cache.memory by more than a tenth, beside the connections, and has not grown over
    the last half
  - SIGTERM lets a request in flight finish, and the exit status is 0

The last line is `soak: passed` or says what failed, and the exit status is 0 only when it passed.
"""

import argparse
import asyncio
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

import processes
import soak_load
from soak_load import STUCK_S, Client, Cut, Wrong, check_body, kept_target

CONFIG = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 2
timeout = {{ header = "5s", idle = "5s", send = "5s", shutdown = "10s" }}
[admin]
listen = "127.0.0.1:{admin_port}"
socket = "off"
[cache]
memory = "{memory_mib}MiB"
disk = {{ path = "{disk}", size = "256MiB" }}
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
storm = {{ enabled = false }}
[[route]]
origin = "pair"
storm = {{ calm = "500ms" }}
"""

FLAPPING = """
timeout = { connect = "500ms", first_byte = "2s", between_bytes = "2s", send = "2s", total = "5s" }
idle_timeout = "3s"
limit = { in_flight = 64, queue = 64, queue_wait = "500ms", adaptive = true }
breaker = { open = "500ms", open_max = "4s" }
fill = { concurrent = 16, per_second = 200, queue = 500, deadline = "5s", cold_start = "2s" }
"""

SETTLE_S = 30
SAMPLE_S = 1
PROGRESS_S = 30
GOOD_P99_MS = 250
GOOD_MAX_MS = 2000
MEMORY_MIB = 128
RSS_BOUND = 1.10
CONNECTIONS_BYTES = 8 << 20  # which come on top: some hundreds of them
RSS_GROWTH = 1.10
RSS_SLACK_BYTES = 8 << 20
FD_SLACK = 4
EXAMPLES = 10
# Each origin is well for some of so many seconds.
LONG_S = 60


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
        """Those of the disk cache come and go as it likes."""
        count = 0
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += "/segment-" not in os.readlink(link)
        return count

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
                  "seawall_server_in_flight", "seawall_fills_waiting", "seawall_fills_running",
                  "seawall_http_connections")
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

    def fail(self, text, examples=()):
        self.failures.append(text)
        print(f"FAILED: {text}", flush=True)
        # Those that differ in more than their numbers.
        kinds = {re.sub(r"\d+", "#", example): example for example in examples}
        for example in list(kinds.values())[:EXAMPLES]:
            print(f"  {example[:300]}", flush=True)

    def run(self):
        with contextlib.ExitStack() as stack:
            good, *flapping = (stack.enter_context(processes.origin()) for _ in range(4))
            pair_a, pair_b, lonely = flapping
            port, admin_port = processes.free_port(), processes.free_port()
            config = self.folder / "seawall.toml"
            config.write_text(CONFIG.format(port=port, admin_port=admin_port, good=good.port, pair_a=pair_a.port,
                                            pair_b=pair_b.port, lonely=lonely.port, flapping=FLAPPING.strip(),
                                            memory_mib=MEMORY_MIB, disk=self.folder / "disk"))
            log = stack.enter_context(open(self.folder / "seawall.log", "w+b"))
            process = processes.start([str(self.build / "seawall"), "serve", "-c", str(config)], admin_port, log)
            stack.callback(processes.stop, process)
            server = Server(process, admin_port)
            asyncio.run(self.prepare(port))
            server.metrics()
            files_before = self.settled_files(server)
            asyncio.run(self.storm(server, port, flapping))
            if process.poll() is None:
                self.check_quiet(server, (good, *flapping), files_before)
                self.check_memory(server)
                self.check_end(process, port)
            else:
                self.fail(f"seawall has ended with {process.returncode}")

    async def prepare(self, port):
        client = Client(port)
        for key in range(soak_load.KEPT_KEYS):
            check_body(kept_target(key), soak_load.KEPT_BYTES, await client.ask(kept_target(key)))
        client.close()

    def settled_files(self, server):
        """Open files once the connections of the preparation have been closed for being idle."""
        counts = [server.open_files()]
        for _ in range(60):
            time.sleep(0.1)
            counts.append(server.open_files())
        return min(counts)

    async def storm(self, server, port, flapping):
        seconds = self.arguments.seconds
        load = soak_load.Load(port, server.admin_port, self.rng)
        probes = {name: await self.probe(port, seconds, **flags) for name, flags in {
            "good, hits": dict(rate=200, keys=100, target="/good/hit-{}?size=1024"),
            "good, misses": dict(rate=50, keys=1 << 40, target="/good/miss-{}?size=4096&delay_ms=20"),
            "good, churn": dict(rate=15, keys=1 << 40, target="/good/churn-{}?size=250000&type=image/png"),
            "good, past memory": dict(rate=0.3, keys=20, target="/good/large-{}?size=17000000&type=image/png"),
            "good, expiring": dict(rate=50, keys=50, target="/good/old-{}?size=1024&max_age=1"),
        }.items()}
        events = asyncio.create_task(load.follow_events())
        actors = [asyncio.create_task(actor) for actor in load.actors()]
        flaps = asyncio.create_task(soak_load.flap(flapping, load, self.rng))
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
        unused = [kind for kind, counts in load.counts.items() if not counts.right + counts.given_up]
        if unused and seconds >= LONG_S:
            self.fail(f"nothing went right even once: {', '.join(sorted(unused))}")
        for name, probe in probes.items():
            self.check_probe(name, await probe.communicate(), probe.returncode)
        for kind, texts in (("wrong answers", load.wrong), ("stuck clients", load.stuck)):
            if texts:
                self.fail(f"{len(texts)} {kind}", texts)

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
        bad = [f"{kind['count']} x {kind['status']} {kind['why']}"
               for kind in report["answers"] if kind["status"] != 200]
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
            print(f"{kind:16} {counts.right:8} {counts.failed:8} {counts.cut:8} {counts.given_up:8} "
                  f"{counts.late_ms:7.0f} ms")

    def check_quiet(self, server, origins, files_before):
        deadline = time.monotonic() + SETTLE_S
        while True:
            left = server.busy()
            if (files := server.open_files()) > files_before + FD_SLACK:
                left.append(f"{files} open files, {files_before} before")
            left += [f"the origin on port {origin.port}: {stats['in_flight']} requests, {stats['open']} connections"
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
        most = max(server.rss)
        print(f"memory: {before / 2**20:.1f} MiB half-way, {after / 2**20:.1f} MiB at the end, {most / 2**20:.1f} MiB at most",
              flush=True)
        if not self.arguments.sanitized and most > RSS_BOUND * (MEMORY_MIB << 20) + CONNECTIONS_BYTES:
            self.fail(f"{most / 2**20:.0f} MiB were resident, with {MEMORY_MIB} MiB configured")
        if after > before * RSS_GROWTH + RSS_SLACK_BYTES:
            self.fail(f"resident memory grew from {before / 2**20:.0f} to {after / 2**20:.0f} MiB over the last half")

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
        reports = [i for i, line in enumerate(lines) if "ERROR: " in line or "runtime error" in line]
        first = reports[0] if reports else max(len(lines) - 20, 0)
        print("\n".join(lines[first:first + 100]), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--seconds", type=int, default=600, help="of load")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the same draws")
    parser.add_argument("--slack", type=float, default=1, help="times the bounds of latency, for slow builds")
    parser.add_argument("--sanitized", action="store_true", help="a build whose memory has no bound")
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
