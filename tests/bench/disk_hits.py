"""What a disk that is written at full speed does to those whose answers lie in memory.

Hits of 1 KiB at a steady rate, alone; while others fetch new objects of 1 MiB as fast as they come, without a disk;
and the same with a disk that takes all of them. The last two differ by the disk alone.
"""

import pathlib
import subprocess

import processes
import servers

HOT_KEYS = 200
HOT = dict(connections=32, rate=1000, keys=HOT_KEYS, order="random")
FILLED_BYTES = 1 << 20
FILL_CONNECTIONS = 4
WRITTEN = "seawall_disk_put_bytes_total"

SEAWALL_DISK = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[admin]
listen = "127.0.0.1:{admin_port}"
socket = "off"
[log]
level = "error"
[cache]
memory = "64MiB"
{disk}
[[origin]]
servers = ["http://127.0.0.1:{origin_port}"]
"""


def put_bytes(admin_port):
    for line in processes.fetch(admin_port, "/metrics").decode().splitlines():
        if line.startswith(WRITTEN + " "):
            return float(line.split()[1])
    return 0.0


def round_of(build, folder, disk, is_filled, seconds):
    """The report of the hits, and MB/s that were put to disk meanwhile."""
    port, admin_port = processes.free_port(), processes.free_port()
    files = pathlib.Path(folder, f"hits-{port}")
    files.mkdir()
    with processes.origin() as origin:
        text = SEAWALL_DISK.format(port=port, admin_port=admin_port, origin_port=origin.port, disk=disk)
        command = [str(build / "seawall"), "serve", "-c", servers.write(files, "seawall.toml", text)]
        with processes.running(command, port):
            target = f"/hot-{{}}?size={servers.BODY_BYTES}"
            processes.load(build, port, connections=8, requests=2 * HOT_KEYS, keys=HOT_KEYS, target=target)
            filler = None
            if is_filled:
                # Of a type that nobody tries to compress.
                fill = processes.load_command(build, port, connections=FILL_CONNECTIONS, seconds=seconds + 30, keys=1 << 40,
                                              target=f"/new-{{}}?size={FILLED_BYTES}&type=image/jpeg")
                filler = subprocess.Popen(fill, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                before = put_bytes(admin_port)
                report = processes.load(build, port, seconds=seconds, target=target, **HOT)
                rate = (put_bytes(admin_port) - before) / seconds / 1e6
                if filler and filler.poll() is not None:
                    raise processes.BenchError("disk-hits: what fetched new objects has ended")
            finally:
                if filler:
                    filler.kill()
                    filler.wait()
        missed = [key for key in range(HOT_KEYS) if origin.count(f"/hot-{key}") != 1]
    good = sum(kind["count"] for kind in report["answers"] if kind["status"] == 200)
    if good != report["requests"] or missed:
        raise processes.BenchError(f"disk-hits: {report['requests'] - good} wrong answers, {len(missed)} keys missed")
    return report, rate


def measure(names, build, folder, arguments):
    place = pathlib.Path(arguments.disk or folder, "disk-hits")
    disk = f'disk = {{ path = "{place}", size = "4GiB" }}\ndisk_writes = "0"'
    print(f"\nhits of {servers.BODY_BYTES} bytes in memory, {HOT['rate']} a second, beside {FILL_CONNECTIONS} connections that "
          f"fetch objects of {FILLED_BYTES >> 20} MiB, one worker, disk in {place.parent}")
    print(f"{'beside':24} {'p50':>9} {'p99':>9} {'slowest':>9} {'to disk':>12}")
    for label, is_filled, with_disk in (("nothing", False, ""), ("fetches", True, ""), ("fetches, all to disk", True, disk)):
        report, rate = round_of(build, folder, with_disk, is_filled, arguments.seconds * arguments.rounds)
        if with_disk and rate == 0:
            raise processes.BenchError("disk-hits: nothing went to disk")
        times = " ".join(f"{report[name] / 1000:6.2f} ms" for name in ("p50_us", "p99_us", "max_us"))
        print(f"{label:24} {times} {rate:7.0f} MB/s", flush=True)
