#!/usr/bin/env python3
"""Measures what a hit costs, and what crowds, storms and outages do, for seawall and its peers.

Hits: wrk with 64 connections on one object of 1 KiB, one worker pinned to one processor and wrk on another, rounds
of all servers in turn, medians. The figure that holds on a noisy machine is the server's CPU time per request as a
ratio to the floor (tests/bench/floor.cc) of the same run. Every answer must have been a hit of the right size.

Crowds: 200 connections ask at the same moment for an object that the origin takes 300 ms to make.

Policies: miss ratios of the eviction policies on the models of tests/bench/traces.py and on each --trace. Store-ops:
look-ups and fills of the store in one process.

Disk: the disk tier by itself. Disk-hits: see tests/bench/disk_hits.py.

Herd, flood, outage: see tests/bench/storm.py. Handshakes, resumed, tls-hits, h2-hits, tls-idle: see tests/bench/tls.py.
"""

import argparse
import contextlib
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import disk_hits
import policies
import processes
import servers
import storm
import tls
from processes import BenchError

CONNECTIONS = 64
CROWD = 200
CROWD_DELAY_MS = 300
CROWD_TIMEOUT_S = 120
MAX_HEAD_BYTES = 1024
# Those that answer from one process by one configuration; the others differ in kind.
STORMED = ("seawall", "nginx", "varnish")
CROWDED = ("seawall", "nginx")


def number(pattern, text):
    match = re.search(pattern, text)
    return float(match[1]) if match else None


def wrk_round(port, target, seconds, processor):
    """Returns (requests, seconds) of one round; raises when any answer was not what it should be."""
    wrk = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(processes.HERE / "report.lua"),
           f"http://127.0.0.1:{port}{target}"]
    command = processes.pinned(wrk, processor)
    output = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=seconds + 30, check=True).stdout
    requests, errors, read_bytes = (number(rf"{name}=(\d+)", output) for name in ("requests", "errors", "bytes"))
    elapsed = number(r"micros=(\d+)", output) / 1e6
    if not requests or errors:
        raise BenchError(f"wrk reports {errors:.0f} errors in {requests:.0f} requests")
    per_answer = read_bytes / requests
    if not servers.BODY_BYTES < per_answer < servers.BODY_BYTES + MAX_HEAD_BYTES:
        raise BenchError(f"answers of {per_answer:.0f} bytes, not of {servers.BODY_BYTES} and a head")
    return requests, elapsed


class Hits:
    """One server under the load of hits, and its rounds."""

    def __init__(self, name, port, process):
        self.name = name
        self.port = port
        self.process = process
        self.target = f"/hit-{name}?size={servers.BODY_BYTES}"
        self.rates = []
        self.cpu_us = []

    def warm(self):
        for _ in range(2):
            if processes.fetch(self.port, self.target) != b"x" * servers.BODY_BYTES:
                raise BenchError(f"{self.name}: a wrong body")

    def round(self, seconds, processor):
        before = processes.cpu_seconds(self.process.pid)
        requests, elapsed = wrk_round(self.port, self.target, seconds, processor)
        spent = processes.cpu_seconds(self.process.pid) - before
        self.rates.append(requests / elapsed)
        self.cpu_us.append(spent * 1e6 / requests)

    def check_origin(self, origin):
        asked = origin.count(self.target.split("?")[0])
        if self.name != "floor" and asked != 1:
            raise BenchError(f"{self.name}: not all were hits: the origin was asked {asked} times")


def measure_hits(names, build, folder, arguments):
    cores = processes.processors()
    server_core, client_core = cores or (None, None)
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(processes.origin())
        benches = []
        for name in names:
            port = processes.free_port()
            files = pathlib.Path(folder, name)
            files.mkdir()
            command = servers.ALL[name](build, files, port, origin.port)
            benches.append(Hits(name, port, stack.enter_context(processes.running(command, port, server_core))))
        for bench in benches:
            bench.warm()
            bench.round(1, client_core)
            bench.rates.clear()
            bench.cpu_us.clear()
        for _ in range(arguments.rounds):
            for bench in benches:
                bench.round(arguments.seconds, client_core)
        for bench in benches:
            bench.check_origin(origin)
    floor_us = statistics.median(benches[0].cpu_us)
    print(f"\nhits of {servers.BODY_BYTES} bytes, {CONNECTIONS} connections, one worker, "
          f"{arguments.rounds} rounds of {arguments.seconds} s, medians")
    print(f"{'server':10} {'hits/s':>9} {'CPU us/request':>15} {'to the floor':>13}   rounds' CPU us")
    for bench in benches:
        cpu_us = statistics.median(bench.cpu_us)
        rounds = " ".join(f"{us:.1f}" for us in bench.cpu_us)
        print(f"{bench.name:10} {statistics.median(bench.rates):9.0f} {cpu_us:15.2f} {cpu_us / floor_us:12.2f}x   {rounds}")


def measure_crowds(names, build, folder, arguments):
    print(f"\n{CROWD} clients at once on one object that the origin takes {CROWD_DELAY_MS} ms for")
    print(f"{'server':10} {'object':16} {'origin requests':>15} {'right answers':>14} {'last answer after':>18}")
    with processes.origin() as origin:
        for name in names:
            port = processes.free_port()
            files = pathlib.Path(folder, f"{name}-crowd")
            files.mkdir()
            with processes.running(servers.ALL[name](build, files, port, origin.port), port):
                # The first crowd on an uncacheable object must wait for an answer that says so; the second need not.
                for kind, cacheable in (("cold", 1), ("uncacheable", 0), ("the same again", 0)):
                    path = f"/crowd-{name}-{'stored' if cacheable else 'private'}"
                    before = origin.count(path)
                    target = f"{path}?size={servers.BODY_BYTES}&delay_ms={CROWD_DELAY_MS}&cacheable={cacheable}"
                    report = processes.load(build, port, connections=CROWD, requests=CROWD, target=target,
                                            timeout=CROWD_TIMEOUT_S)
                    print(f"{name:10} {kind:16} {origin.count(path) - before:15} {storm.answers(report, 200):14} "
                          f"{report['seconds'] * 1000:15.0f} ms", flush=True)


# What each part measures, and which servers take part.
PARTS = {
    "hits": (measure_hits, tuple(servers.ALL)),
    "crowds": (measure_crowds, CROWDED),
    "herd": (storm.measure_herd, STORMED),
    "flood": (storm.measure_flood, STORMED),
    "outage": (storm.measure_outage, STORMED),
    "handshakes": (tls.measure_handshakes, tuple(servers.TLS)),
    "resumed": (tls.measure_resumed, tuple(servers.TLS)),
    "tls-hits": (tls.measure_tls_hits, tuple(servers.TLS)),
    "h2-hits": (tls.measure_h2_hits, tuple(servers.TLS)),
    "tls-idle": (tls.measure_idle, tuple(servers.TLS)),
    "policies": (policies.measure_policies, ()),
    "store-ops": (policies.measure_store_ops, ()),
    "disk": (policies.measure_disk, ()),
    "disk-hits": (disk_hits.measure, ()),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of a round")
    parser.add_argument("--servers", default=",".join(servers.ALL), help="which, separated by commas")
    parser.add_argument("--parts", default=",".join(PARTS), help="which, separated by commas")
    parser.add_argument("--trace", action="append", default=[], help="a trace of yours for the part policies; may be repeated")
    parser.add_argument("--disk", help="an empty directory on the disk to measure, for the parts disk and disk-hits")
    parser.add_argument("--seed", type=int, default=1, help="of the made-up traces")
    parser.add_argument("--quick", action="store_true", help="a tenth of the flood, a sixth of the outage")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")

    os.environ["PATH"] += ":/usr/sbin"
    # So that Ctrl-C and a plain kill unwind, and nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    build = (processes.ROOT / arguments.build).resolve()
    wanted = arguments.servers.split(",")
    names = [name for name in servers.ALL if (name in wanted or name == "floor") and servers.is_installed(name)]
    shared_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    cores = processes.processors()
    print(f"{platform.machine()}, Linux {platform.release()}, {os.cpu_count()} processors, "
          + (f"servers on processor {cores[0]}, wrk on {cores[1]}" if cores else "servers and wrk on the same one"), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=shared_memory) as folder:
        for part in parts:
            measure, able = PARTS[part]
            measure([name for name in names if name in able], build, folder, arguments)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
