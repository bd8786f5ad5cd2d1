"""Miss ratios of the eviction policies, what the store does in a second, and how fast its disk tier is."""

import pathlib
import subprocess

import traces


def measure_policies(names, build, folder, arguments):
    files = list(arguments.trace)
    for name, model in traces.MODELS.items():
        file = pathlib.Path(folder, f"{name}.csv")
        with open(file, "w") as out:
            out.writelines("%d,%d,%d\n" % line for line in traces.generate(model, arguments.seed, 300_000))
        files.append(file)
    print("\nmiss ratios, objects / bytes, with 1 %, 10 % and 30 % of the bytes of all objects", flush=True)
    subprocess.run([build / "tests/bench/policies", *files], check=True)


def measure_store_ops(names, build, folder, arguments):
    print("\nthe store's operations", flush=True)
    subprocess.run([build / "tests/bench/store_ops"], check=True)


def measure_disk(names, build, folder, arguments):
    print(f"\nthe disk tier, in {arguments.disk or folder}", flush=True)
    subprocess.run([build / "tests/bench/disk_bench", arguments.disk or folder], check=True)
