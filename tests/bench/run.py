#!/usr/bin/env python3
"""Measures what a hit costs, and what a crowd on one missing object does, for seawall and its peers.

Hits: wrk with 64 connections on one object of 1 KiB, one worker pinned to one processor and wrk on another, rounds
of all servers in turn, medians. The figure that holds on a noisy machine is the server's CPU time per request as a
ratio to the floor (tests/bench/floor.cc) of the same run. Every answer must have been a hit of the right size.

Crowds: 200 connections ask at the same moment for an object that the origin takes 300 ms to make.
"""

import argparse
import asyncio
import contextlib
import os
import pathlib
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import servers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONNECTIONS = 64
CROWD = 200
CROWD_DELAY_MS = 300
CROWD_TIMEOUT_S = 120
START_TIMEOUT_S = 10
MAX_HEAD_BYTES = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Straight to the server, whatever http_proxy says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class BenchError(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processors():
    """(the server's processor, everyone else's), or None on a machine with only one."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[1]) if len(available) > 1 else None


def pinned(command, processor):
    return command if processor is None else ["taskset", "-c", str(processor), *command]


@contextlib.contextmanager
def running(command, port, processor=None):
    """A server; every process of it is gone at the end."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(pinned(command, processor), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not is_open(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise BenchError(f"{command[0]} does not listen: {log.read().decode('utf-8', 'replace').strip()}")
                time.sleep(0.05)
            yield process
        finally:
            members = family(process.pid)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            for member, fields in members.items():
                # Only if it is still the same process: the start time says so.
                with contextlib.suppress(OSError):
                    if pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()[19] == fields[19]:
                        os.kill(member, signal.SIGKILL)
            process.wait()


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def family(pid):
    """The fields of /proc/<pid>/stat behind the name, for the process and all that descend from it."""
    stats = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats[int(stat.parent.name)] = stat.read_text().rsplit(")", 1)[1].split()
    members = {pid}
    grown = True
    while grown:
        children = {child for child, fields in stats.items() if int(fields[1]) in members}
        grown = not children <= members
        members |= children
    return {member: stats[member] for member in members if member in stats}


def cpu_seconds(pid):
    """User and system time of a server's processes, reaped ones included."""
    return sum(int(fields[i]) for fields in family(pid).values() for i in (11, 12, 13, 14)) / TICKS_PER_SECOND


def fetch(port, target):
    with DIRECT.open(f"http://127.0.0.1:{port}{target}", timeout=10) as response:
        return response.read()


def origin_count(origin_port, path):
    return int(fetch(origin_port, f"/-/count?path={path}"))


def number(pattern, text):
    match = re.search(pattern, text)
    return float(match[1]) if match else None


def wrk_round(port, target, seconds, processor):
    """Returns (requests, seconds) of one round; raises when any answer was not what it should be."""
    command = pinned(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s",
                      "-s", str(HERE / "report.lua"), f"http://127.0.0.1:{port}{target}"], processor)
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
            if fetch(self.port, self.target) != b"x" * servers.BODY_BYTES:
                raise BenchError(f"{self.name}: a wrong body")

    def round(self, seconds, processor):
        before = cpu_seconds(self.process.pid)
        requests, elapsed = wrk_round(self.port, self.target, seconds, processor)
        spent = cpu_seconds(self.process.pid) - before
        self.rates.append(requests / elapsed)
        self.cpu_us.append(spent * 1e6 / requests)

    def check_origin(self, origin_port):
        asked = origin_count(origin_port, self.target.split("?")[0])
        if self.name != "floor" and asked != 1:
            raise BenchError(f"{self.name}: not all were hits: the origin was asked {asked} times")


def measure_hits(names, build, folder, origin_port, arguments):
    cores = processors()
    server_core, client_core = cores or (None, None)
    with contextlib.ExitStack() as stack:
        benches = []
        for name in names:
            port = free_port()
            files = pathlib.Path(folder, name)
            files.mkdir()
            command = servers.ALL[name](build, files, port, origin_port)
            benches.append(Hits(name, port, stack.enter_context(running(command, port, server_core))))
        for bench in benches:
            bench.warm()
            bench.round(1, client_core)
            bench.rates.clear()
            bench.cpu_us.clear()
        for _ in range(arguments.rounds):
            for bench in benches:
                bench.round(arguments.seconds, client_core)
        for bench in benches:
            bench.check_origin(origin_port)
    floor_us = statistics.median(benches[0].cpu_us)
    print(f"\nhits of {servers.BODY_BYTES} bytes, {CONNECTIONS} connections, one worker, "
          f"{arguments.rounds} rounds of {arguments.seconds} s, medians")
    print(f"{'server':10} {'hits/s':>9} {'CPU us/request':>15} {'to the floor':>13}   rounds' CPU us")
    for bench in benches:
        cpu_us = statistics.median(bench.cpu_us)
        rounds = " ".join(f"{us:.1f}" for us in bench.cpu_us)
        print(f"{bench.name:10} {statistics.median(bench.rates):9.0f} {cpu_us:15.2f} {cpu_us / floor_us:12.2f}x   {rounds}")


async def crowd_member(port, target, connected, go):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connected.release()
    await go.wait()
    writer.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 200 ") and len(answer) > servers.BODY_BYTES


async def crowd(port, target):
    """Returns (correct answers, seconds until the last one)."""
    connected, go = asyncio.Semaphore(0), asyncio.Event()
    members = [asyncio.create_task(crowd_member(port, target, connected, go)) for _ in range(CROWD)]
    for _ in members:
        await connected.acquire()
    start = time.monotonic()
    go.set()
    answers = await asyncio.wait_for(asyncio.gather(*members, return_exceptions=True), CROWD_TIMEOUT_S)
    return sum(answer is True for answer in answers), time.monotonic() - start


def measure_crowds(names, build, folder, origin_port):
    print(f"\n{CROWD} clients at once on one object that the origin takes {CROWD_DELAY_MS} ms for")
    print(f"{'server':10} {'object':16} {'origin requests':>15} {'right answers':>14} {'last answer after':>18}")
    for name in names:
        port = free_port()
        files = pathlib.Path(folder, f"{name}-crowd")
        files.mkdir()
        with running(servers.ALL[name](build, files, port, origin_port), port):
            # The first crowd on an uncacheable object must wait for one answer to learn what it is; the second need not.
            for kind, cacheable in (("cold", 1), ("uncacheable", 0), ("the same again", 0)):
                path = f"/crowd-{name}-{'stored' if cacheable else 'private'}"
                before = origin_count(origin_port, path)
                target = f"{path}?size={servers.BODY_BYTES}&delay_ms={CROWD_DELAY_MS}&cacheable={cacheable}"
                try:
                    right, seconds = asyncio.run(crowd(port, target))
                    last = f"{seconds * 1000:.0f} ms"
                except asyncio.TimeoutError:
                    right, last = 0, f"over {CROWD_TIMEOUT_S} s"
                print(f"{name:10} {kind:16} {origin_count(origin_port, path) - before:15} {right:14} {last:>18}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of a round")
    parser.add_argument("--servers", default=",".join(servers.ALL), help="which, separated by commas")
    parser.add_argument("--skip", choices=["hits", "crowds"], help="leave one of the two parts out")
    arguments = parser.parse_args()

    os.environ["PATH"] += ":/usr/sbin"
    # So that Ctrl-C and a plain kill unwind, and nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    build = (ROOT / arguments.build).resolve()
    wanted = arguments.servers.split(",")
    names = [name for name in servers.ALL if (name in wanted or name == "floor") and servers.is_installed(name)]
    shared_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    cores = processors()
    print(f"{platform.machine()}, Linux {platform.release()}, {os.cpu_count()} processors, "
          + (f"servers on processor {cores[0]}, wrk on {cores[1]}" if cores else "servers and wrk on the same one"), flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=shared_memory) as folder:
        origin_port = free_port()
        with running([sys.executable, str(HERE / "origin.py"), str(origin_port)], origin_port):
            if arguments.skip != "hits":
                measure_hits(names, build, folder, origin_port, arguments)
            if arguments.skip != "crowds":
                measure_crowds([name for name in names if name in ("seawall", "nginx")], build, folder, origin_port)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
