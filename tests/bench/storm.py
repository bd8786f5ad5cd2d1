"""Storms: what reaches a slow, limited or dead origin, and what the clients get meanwhile, next to other caches.

Herd: 1,000 clients at the same moment on one object that the origin takes 300 ms for: cold; expired, where a stale
answer is allowed; and expired, where it is not.

Flood: 10,000 objects, none of them stored, asked for once each over 400 connections that are never idle, from an
origin that works on 10 at once and needs 100 ms for each: 100 a second. Never may it see more than the limit.

Outage: an origin that fails for a minute under 500 requests a second for 200 expired objects, each way of failing in
turn, all servers at the same time, each with an origin of its own.
"""

import concurrent.futures
import contextlib
import pathlib
import subprocess
import time

import processes
import servers

HERD = 1000
HERD_DELAY_MS = 300
# Stored with max-age=1; servers that count whole seconds need another.
EXPIRE_S = 2.1
SETTLE_S = 0.6

FLOOD_KEYS = 10_000
FLOOD_CONNECTIONS = 400
LANES = 10
LANE_MS = 100
IN_FLIGHT = 20
BACKGROUND = 10

OUTAGE_S = 60
OUTAGE_KINDS = {"abort": "reset at once", "silent": "silent", "unavailable": "503", "refuse": "refused"}
OUTAGE_KEYS = 200
OUTAGE_RATE = 500
OUTAGE_LOAD = dict(connections=512, rate=OUTAGE_RATE, keys=OUTAGE_KEYS, order="random")
OUTAGE_PATIENCE_S = 30
RECOVERY_TIMEOUT_S = 90

PATIENCE_S = 120


@contextlib.contextmanager
def server(name, build, folder, origin, **settings):
    port = processes.free_port()
    files = pathlib.Path(folder, f"{name}-{port}")
    files.mkdir()
    with processes.running(servers.STORM[name](build, files, port, origin.port, **settings), port):
        yield port


def answers(report, status):
    return sum(kind["count"] for kind in report["answers"] if kind["status"] == status)


def milliseconds(us):
    return f"{us / 1000:.0f} ms" if us >= 10_000 else f"{us / 1000:.1f} ms"


def others(report):
    """What was not 200, by kind."""
    kinds = {}
    for kind in report["answers"]:
        if kind["status"] != 200:
            text = f"{kind['status']} {kind['why']}".strip()
            kinds[text] = kinds.get(text, 0) + kind["count"]
    kinds.update(report["errors"])
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1])) or "-"


def measure_herd(names, build, folder, arguments):
    print(f"\n{HERD} clients at once on one object that the origin takes {HERD_DELAY_MS} ms for")
    print(f"{'server':10} {'object':22} {'origin requests':>15} {'right answers':>14} {'last answer after':>18}")
    with processes.origin() as origin:
        for name in names:
            with server(name, build, folder, origin) as port:
                for kind, prefix in (("cold", "/cold-"), ("expired", "/stale-"), ("expired, no stale", "/strict/")):
                    path = prefix + name
                    target = f"{path}?size={servers.BODY_BYTES}&delay_ms={HERD_DELAY_MS}&max_age=1"
                    if kind != "cold":
                        processes.load(build, port, connections=1, requests=1, target=target)
                        time.sleep(EXPIRE_S)
                    before = origin.count(path)
                    report = processes.load(build, port, connections=HERD, requests=HERD, target=target,
                                            timeout=PATIENCE_S)
                    time.sleep(SETTLE_S)
                    print(f"{name:10} {kind:22} {origin.count(path) - before:15} {answers(report, 200):14} "
                          f"{milliseconds(report['max_us']):>18}", flush=True)


def wait_until_fetched(origin, keys):
    """Seconds until the origin was asked for every key and has answered."""
    begun = time.monotonic()
    deadline = begun + 60 + 2 * keys * LANE_MS / 1000 / LANES
    while (stats := origin.stats())["requests"] < keys or stats["in_flight"]:
        if time.monotonic() > deadline:
            raise processes.BenchError(f"flood: only {stats['requests']} of {keys} objects were fetched")
        time.sleep(0.1)
    return time.monotonic() - begun


def flood_once(name, miss, keys, build, folder):
    """One row of the table, and what is to be said below it."""
    with processes.origin(lanes=LANES) as origin, \
            server(name, build, folder, origin, miss=miss, in_flight=IN_FLIGHT, background=BACKGROUND) as port:
        flags = dict(connections=FLOOD_CONNECTIONS, requests=keys, keys=keys, timeout=PATIENCE_S,
                     target=f"/flood-{{}}?size={servers.BODY_BYTES}&delay_ms={LANE_MS}")
        report = processes.load(build, port, **flags)
        note = None
        if miss == "async":
            seconds = report["seconds"] + wait_until_fetched(origin, keys)
            again = processes.load(build, port, **flags)
            note = (f"{name}, async: all stored after {seconds:.0f} s; the same requests again: "
                    f"{answers(again, 200)} of {keys} hits")
        peak = origin.stats()["peak"]
        label = f"{name}, {miss}" if name == "seawall" else name
        p50, p99 = milliseconds(report["p50_us"]), milliseconds(report["p99_us"])
        print(f"{label:20} {answers(report, 200):7} {p50:>9} {p99:>9} {report['seconds']:7.1f} s {peak:6}   "
              f"{others(report)}", flush=True)
        if name == "seawall" and peak > (BACKGROUND if miss == "async" else IN_FLIGHT):
            raise processes.BenchError(f"flood: the origin saw {peak} requests at once, more than the limit")
        return note


def measure_flood(names, build, folder, arguments):
    keys = FLOOD_KEYS // 10 if arguments.quick else FLOOD_KEYS
    print(f"\n{keys} objects that are not stored, {FLOOD_CONNECTIONS} connections, an origin that can do "
          f"{LANES * 1000 // LANE_MS} a second, limit of {IN_FLIGHT} at once ({BACKGROUND} in the background)")
    print(f"{'server':20} {'200':>7} {'p50':>9} {'p99':>9} {'all after':>9} {'peak':>6}   not 200")
    rows = [("seawall", "collapse"), ("seawall", "async"), ("nginx", "collapse"), ("varnish", "collapse")]
    notes = [flood_once(name, miss, keys, build, folder) for name, miss in rows if name in names]
    for note in filter(None, notes):
        print(note, flush=True)


def outage_once(name, mood, seconds, build, folder):
    with processes.origin() as origin, server(name, build, folder, origin) as port:
        target = f"/outage-{{}}?size={servers.BODY_BYTES}&max_age=1"
        warm = processes.load(build, port, connections=8, requests=OUTAGE_KEYS, keys=OUTAGE_KEYS, target=target)
        if answers(warm, 200) != OUTAGE_KEYS:
            raise processes.BenchError(f"{name}: cannot warm up: {others(warm)}")
        time.sleep(EXPIRE_S)
        origin.set_mood(mood)
        origin.clear()
        report = processes.load(build, port, seconds=seconds, timeout=OUTAGE_PATIENCE_S, target=target, **OUTAGE_LOAD)
        attempts = origin.stats()["attempts"]
        origin.set_mood("up")
        again = recovery(origin, build, port, target)
    ok, wanted = answers(report, 200), seconds * OUTAGE_RATE
    if name == "seawall" and ok < wanted:
        raise processes.BenchError(f"outage, {OUTAGE_KINDS[mood]}: {ok} of {wanted} were answered: {others(report)}")
    attempts = "-" if mood == "refuse" else attempts
    p99, slowest = milliseconds(report["p99_us"]), milliseconds(report["max_us"])
    return (f"{name:10} {OUTAGE_KINDS[mood]:14} {wanted:9} {100 * ok / wanted:10.3f} % {p99:>9} {slowest:>9} "
            f"{attempts:>15} {again:>12}   {others(report)}")


def recovery(origin, build, port, target):
    """How long the origin is well before it has answered again, while the load goes on; as text."""
    command = processes.load_command(build, port, seconds=RECOVERY_TIMEOUT_S, target=target, **OUTAGE_LOAD)
    clients = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while (first_good := origin.stats()["first_good"]) is None and clients.poll() is None:
            time.sleep(0.1)
    finally:
        clients.kill()
        clients.wait()
    return f"over {RECOVERY_TIMEOUT_S} s" if first_good is None else f"{first_good:.1f} s"


def measure_outage(names, build, folder, arguments):
    seconds = OUTAGE_S // 6 if arguments.quick else OUTAGE_S
    print(f"\nan outage of {seconds} s, {OUTAGE_RATE} requests a second for {OUTAGE_KEYS} objects, stored and expired")
    print(f"{'server':10} {'origin':14} {'requests':>9} {'answered 200':>12} {'p99':>9} {'slowest':>9} "
          f"{'origin attempts':>15} {'asked again':>12}   not 200")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for mood in OUTAGE_KINDS:
            rows = [pool.submit(outage_once, name, mood, seconds, build, folder) for name in names]
            for row in rows:
                print(row.result(), flush=True)
