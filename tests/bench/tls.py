"""What TLS and HTTP/2 cost: full and resumed handshakes, hits over TLS and over HTTP/2, and memory for idle connections.

All servers have the same certificates, and the clients offer one cipher alone, so that each does the same arithmetic.
Rounds of all servers in turn, medians; every handshake is verified and every answer counted and measured.
"""

import contextlib
import json
import os
import pathlib
import re
import resource
import ssl
import statistics
import subprocess
import urllib.request

import processes
import servers
from processes import BenchError

HANDSHAKING = 16  # connections at once
HIT_CONNECTIONS = 64
H2_CONNECTIONS = 16
H2_STREAMS = 32
IDLE_CONNECTIONS = 10_000
IDLE_BODY_BYTES = 1024
MAX_HEAD_BYTES = 1024
SIZES = (1024, 256 * 1024)

# For clients that cannot be told what to offer.
OPENSSL_CONF = """
openssl_conf = default
[default]
ssl_conf = ssl
[ssl]
system_default = clients
[clients]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
"""


class Certificates:
    """An authority, and certificates of it for 127.0.0.1 with their keys, one of each kind."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca = self.folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
        self.ecdsa = self._issue("ecdsa", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.rsa = self._issue("rsa", "-newkey", "rsa:2048")
        self.client_conf = self.folder / "client.cnf"
        self.client_conf.write_text(OPENSSL_CONF)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def _issue(self, name, *kind):
        self._openssl("req", *kind, "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
                      "-copy_extensions", "copy", "-out", f"{name}.crt")
        file = self.folder / f"{name}.pem"
        file.write_text((self.folder / f"{name}.crt").read_text() + (self.folder / f"{name}.key").read_text())
        return file

    def environment(self):
        return {**os.environ, "OPENSSL_CONF": str(self.client_conf)}


class Bench:
    """One server under one kind of load, and its rounds."""

    def __init__(self, name, port, process):
        self.name = name
        self.port = port
        self.process = process
        self.rates = []
        self.cpu_us = []

    def fetch(self, target, ca):
        context = ssl.create_default_context(cafile=ca)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(f"https://127.0.0.1:{self.port}{target}", timeout=10) as response:
            return response.read()

    def warm(self, target, size, ca):
        for _ in range(2):
            if self.fetch(target, ca) != b"x" * size:
                raise BenchError(f"{self.name}: a wrong body")

    def round(self, load):
        """`load` gives (units of work, seconds), and raises when any answer was not what it should be."""
        before = processes.cpu_seconds(self.process.pid)
        units, elapsed = load()
        spent = processes.cpu_seconds(self.process.pid) - before
        self.rates.append(units / elapsed)
        self.cpu_us.append(spent * 1e6 / units)

    def forget(self):
        self.rates.clear()
        self.cpu_us.clear()


@contextlib.contextmanager
def running(names, build, folder, part, certificates, key, server_core):
    """The benches of all servers, which run side by side in front of one origin."""
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(processes.origin())
        benches = []
        for name in names:
            port = processes.free_port()
            files = pathlib.Path(folder, f"{part}-{name}")
            files.mkdir()
            command = servers.TLS[name](build, files, port, origin.port, getattr(certificates, key))
            benches.append(Bench(name, port, stack.enter_context(processes.running(command, port, server_core))))
        yield benches, origin


def rounds(benches, load_of, arguments):
    for bench in benches:
        bench.round(lambda bench=bench: load_of(bench, 1))
        bench.forget()
    for _ in range(arguments.rounds):
        for bench in benches:
            bench.round(lambda bench=bench: load_of(bench, arguments.seconds))


def print_table(title, unit, benches, arguments):
    print(f"\n{title}, one worker, {arguments.rounds} rounds of {arguments.seconds} s, medians")
    print(f"{'server':10} {unit + '/s':>13} {'CPU us each':>12} {'to ' + benches[0].name:>12}   rounds' CPU us")
    first_us = statistics.median(benches[0].cpu_us)
    for bench in benches:
        cpu_us = statistics.median(bench.cpu_us)
        each = " ".join(f"{us:.1f}" for us in bench.cpu_us)
        print(f"{bench.name:10} {statistics.median(bench.rates):13.0f} {cpu_us:12.2f} {cpu_us / first_us:11.2f}x   {each}",
              flush=True)


def tls_load(build, processor, certificates, **flags):
    """What tls_load.cc measured; see there."""
    command = [str(build / "tests/bench/tls_load"), "--ca", str(certificates.ca)]
    for name, value in flags.items():
        command += [f"--{name}", str(value)]
    process = subprocess.run(processes.pinned(command, processor), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode != 0:
        raise BenchError(process.stderr.strip() or f"tls_load ended with {process.returncode}")
    return json.loads(process.stdout)


def measure_handshakes(names, build, folder, arguments, mode="handshakes", keys=("ecdsa", "rsa")):
    server_core, client_core = processes.processors() or (None, None)
    certificates = prepare(folder)
    for key in keys:
        with running(names, build, folder, f"{mode}-{key}", certificates, key, server_core) as (benches, _):
            def load_of(bench, seconds):
                report = tls_load(build, client_core, certificates, mode=mode, port=bench.port, seconds=seconds,
                                  connections=HANDSHAKING)
                if report["errors"] or not report["done"]:
                    raise BenchError(f"{bench.name}: {report}")
                # Only the first of each slot has nothing to take up.
                resumed = report["done"] - HANDSHAKING if mode == "resumed" else 0
                if report["resumed"] < resumed or (mode != "resumed" and report["resumed"]):
                    raise BenchError(f"{bench.name}: {report['resumed']} of {report['done']} handshakes were resumed")
                return report["done"], report["seconds"]

            rounds(benches, load_of, arguments)
            kind = {"ecdsa": "ECDSA P-256", "rsa": "RSA-2048"}[key]
            what = "resumed TLS 1.3 handshakes" if mode == "resumed" else f"full TLS 1.3 handshakes, {kind}"
            print_table(what, "handshakes", benches, arguments)


def measure_resumed(names, build, folder, arguments):
    measure_handshakes(names, build, folder, arguments, "resumed", ("ecdsa",))


def number(pattern, text):
    match = re.search(pattern, text)
    if not match:
        raise BenchError(f"no {pattern} in: {text}")
    return float(match[1])


def wrk(bench, target, size, seconds, processor, environment):
    command = ["wrk", "-t", "1", "-c", str(HIT_CONNECTIONS), "-d", f"{seconds}s", "-s", str(processes.HERE / "report.lua"),
               f"https://127.0.0.1:{bench.port}{target}"]
    output = subprocess.run(processes.pinned(command, processor), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=seconds + 30, check=True, env=environment).stdout
    requests, errors, read_bytes = (number(rf"{name}=(\d+)", output) for name in ("requests", "errors", "bytes"))
    if not requests or errors:
        raise BenchError(f"{bench.name}: wrk reports {errors:.0f} errors in {requests:.0f} requests")
    # What was begun when the time was over counts as read, not as answered.
    most = size + MAX_HEAD_BYTES + HIT_CONNECTIONS * (size + MAX_HEAD_BYTES) / requests
    if not size < read_bytes / requests < most:
        raise BenchError(f"{bench.name}: answers of {read_bytes / requests:.0f} bytes, not of {size} and a head")
    return requests, number(r"micros=(\d+)", output) / 1e6


def h2load(bench, target, size, seconds, processor, environment):
    command = ["h2load", "-t", "1", "-c", str(H2_CONNECTIONS), "-m", str(H2_STREAMS), "-D", str(seconds),
               f"https://127.0.0.1:{bench.port}{target}"]
    output = subprocess.run(processes.pinned(command, processor), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=seconds + 30, check=True, env=environment).stdout
    done, good = number(r"(\d+) done", output), number(r"(\d+) succeeded", output)
    failed = sum(number(rf"(\d+) {what}", output) for what in ("failed", "errored", "timeout"))
    if not done or good != done or failed or number(r"status codes: (\d+) 2xx", output) < done:
        raise BenchError(f"{bench.name}: {output}")
    if "Application protocol: h2\n" not in output:
        raise BenchError(f"{bench.name}: no HTTP/2: {output}")
    body_bytes = number(r"headers .*?\), .*?\((\d+)\) data", output)
    if body_bytes < done * size:
        raise BenchError(f"{bench.name}: {body_bytes:.0f} bytes in {done:.0f} bodies")
    return done, seconds


def measure_hits(names, build, folder, arguments, part, client, title, sizes):
    server_core, client_core = processes.processors() or (None, None)
    certificates = prepare(folder)
    for size in sizes:
        with running(names, build, folder, f"{part}-{size}", certificates, "ecdsa", server_core) as (benches, origin):
            targets = {bench.name: f"/{part}-{bench.name}?size={size}" for bench in benches}
            for bench in benches:
                bench.warm(targets[bench.name], size, certificates.ca)
            rounds(benches, lambda bench, seconds: client(bench, targets[bench.name], size, seconds, client_core,
                                                          certificates.environment()), arguments)
            for bench in benches:
                if (asked := origin.count(targets[bench.name].split("?")[0])) != 1:
                    raise BenchError(f"{bench.name}: not all were hits: the origin was asked {asked} times")
            print_table(f"hits of {size} bytes over {title}", "hits", benches, arguments)


def measure_tls_hits(names, build, folder, arguments):
    measure_hits(names, build, folder, arguments, "tls-hits", wrk, f"TLS 1.3, {HIT_CONNECTIONS} connections", SIZES)


def measure_h2_hits(names, build, folder, arguments):
    title = f"HTTP/2 and TLS 1.3, {H2_CONNECTIONS} connections of {H2_STREAMS} streams"
    measure_hits(names, build, folder, arguments, "h2-hits", h2load, title, SIZES)


def resident_bytes(pid):
    """Of a server's processes together. Pages that several have count several times; there is one worker."""
    pages = 0
    for member in processes.family(pid):
        with contextlib.suppress(OSError):
            pages += int(pathlib.Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure_idle(names, build, folder, arguments):
    server_core, client_core = processes.processors() or (None, None)
    certificates = prepare(folder)
    connections = min(IDLE_CONNECTIONS, servers.most_connections() - 100)
    print(f"\nmemory for {connections} idle TLS connections, each after one hit of {IDLE_BODY_BYTES} bytes")
    print(f"{'server':10} {'before MiB':>11} {'with them MiB':>14} {'bytes each':>11}")
    for name in names:
        # One after another: nobody else's connections shall be in the way.
        with running([name], build, folder, "tls-idle", certificates, "ecdsa", server_core) as (benches, _):
            bench, target = benches[0], f"/idle?size={IDLE_BODY_BYTES}"
            bench.warm(target, IDLE_BODY_BYTES, certificates.ca)
            before = resident_bytes(bench.process.pid)
            command = [str(build / "tests/bench/tls_load"), "--mode", "idle", "--ca", str(certificates.ca), "--port",
                       str(bench.port), "--connections", str(connections), "--target", target]
            with subprocess.Popen(processes.pinned(command, client_core), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True) as client:
                line = client.stdout.readline()
                report = json.loads(line) if line else {"done": 0}
                held = resident_bytes(bench.process.pid)
                client.stdin.close()
            if report["done"] != connections or report["errors"]:
                raise BenchError(f"{name}: {report}")
            print(f"{name:10} {before / 2**20:11.1f} {held / 2**20:14.1f} {(held - before) / connections:11.0f}", flush=True)


def prepare(folder):
    """The certificates of this run, made once."""
    files = pathlib.Path(folder, "certificates")
    if not files.is_dir():
        files.mkdir()
        prepare.made = Certificates(files)
    return prepare.made
