"""What the benchmarks and the soak have in common: servers as processes, what they cost, and the origin behind them."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
START_TIMEOUT_S = 30
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


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def start(command, port, log):
    """A server that listens. The caller ends it with stop()."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_open(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            log.seek(0)
            raise BenchError(f"{command[0]} does not listen: {log.read().decode('utf-8', 'replace').strip()}")
        time.sleep(0.05)
    return process


def stop(process):
    """Ends a server and all that descends from it."""
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


@contextlib.contextmanager
def running(command, port, processor=None):
    """A server; every process of it is gone at the end."""
    with tempfile.TemporaryFile() as log:
        process = start(pinned(command, processor), port, log)
        try:
            yield process
        finally:
            stop(process)


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


class Origin:
    """tests/bench/origin.py, as seen by who drives it."""

    def __init__(self, port, control_port):
        self.port = port
        self.control_port = control_port

    def count(self, path):
        return self._ask("/count?" + urllib.parse.urlencode({"path": path}))

    def stats(self):
        return self._ask("/stats")

    def set_mood(self, mood):
        self._ask(f"/mood?is={mood}")

    def clear(self):
        self._ask("/clear")

    def _ask(self, target):
        return json.loads(fetch(self.control_port, target))


@contextlib.contextmanager
def origin(lanes=0):
    port, control_port = free_port(), free_port()
    with running([sys.executable, str(HERE / "origin.py"), str(port), str(control_port), str(lanes)], port):
        yield Origin(port, control_port)


def load_command(build, port, **flags):
    """The command line of tests/bench/load.cc; `flags` are its own, without dashes."""
    command = [str(build / "tests/bench/load"), "--port", str(port)]
    for name, value in flags.items():
        command += [f"--{name}", str(value)]
    return command


def load(build, port, **flags):
    """What load.cc measured; see there."""
    command = load_command(build, port, **flags)
    process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode != 0:
        raise BenchError(process.stderr.strip() or f"load ended with {process.returncode}")
    return json.loads(process.stdout)
