#!/usr/bin/env python3
"""How many rotations a second three nodes get through that are due at the same moment: tests/scale/main.py BINARY

The nodes are processes of their own, on a PostgreSQL that waits for the disk, against a sandbox without latency. Each
user has a published and a displaced key before, so that a rotation deactivates one, deletes it, makes one, verifies it
three times and publishes it. Waits are as short as settings can make them; limits are wide open. docs/scale.md has the
last figures.

  --rotations N   how many [10000]
  --nodes N       how many [3]
  --at-once N     rotations that all nodes together may have under way [96]
  --statements N  counts what is asked of the database too, and lists the N that take most of its time (slower)
  --sqlite        one node on SQLite instead
  --profile       records the nodes with perf, and says where
"""

import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "postgres"), str(HERE.parent / "stories")]

from processor import Meter  # noqa: E402
from server import running  # noqa: E402
from stage import PostgresDatabase, SqliteDatabase, Stage  # noqa: E402
from support import Broken, Process  # noqa: E402

# Past any spread of the schedule.
LONG_DUE_SECONDS = 3_600
# Rotated is who is not due within this time any more: the interval is thirty days.
NEXT_SECONDS_MIN = 12 * 3_600
POLL_SECONDS = 0.5
# PostgreSQL's sessions tell their statistics a second late.
STATISTICS_SECONDS = 2
# As where it matters, and not as in tests.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
COUNTING = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "on"}
# Without one rotation done for so long, something hangs.
STALLED_SECONDS_MAX = 60


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="keywheel-scale-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        if options.sqlite:
            server, database = None, SqliteDatabase(folder / "keywheel.db")
        else:
            server = stack.enter_context(running(**DURABLE, **(COUNTING if options.statements else {})))
            database = PostgresDatabase(server, "scale")
            if options.statements:
                database.count_statements()
        settings = {"KEYWHEEL_ROTATIONS_MAX": str(options.at_once)}
        nodes = 1 if options.sqlite else options.nodes
        try:
            stage = Stage(os.path.abspath(options.binary), folder, database, nodes, settings)
            good = measure(stage, server, options)
        finally:
            for program in Process.running:
                program.kill()
    sys.exit(not good)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rotations", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=96)
    parser.add_argument("--statements", type=int, default=0)
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args()


def measure(stage, server, options):
    count = options.rotations
    print(f"{count} rotations, {len(stage.nodes)} node(s), {options.at_once} at once", flush=True)
    began = time.monotonic()
    stage.make_rotations(count)
    print(f"made in {time.monotonic() - began:.1f} s", flush=True)
    # The first drain gives each its second key.
    print(f"first drain: {count / drain(stage):.1f} rotations/s", flush=True)

    database = stage.database
    groups = {"nodes": [node.pid for node in stage.nodes], "sandbox": [stage.aws.program.process.pid]}
    if server:
        groups["PostgreSQL"] = [server.process.pid]
    if options.statements:
        database.forget_statements()
    transactions = database.transactions() if server else None
    recording = record_nodes(stage) if options.profile else None
    began_at = round(time.time() * 1000)
    meter = Meter(groups)
    took = drain(stage)
    used = meter.since()
    if recording:
        recording.send_signal(signal.SIGINT)
        recording.wait()
    published = stage.published_since(began_at)
    report(count, took, used)
    print(f"rotations that did not go through: {count - published}")
    if server:
        time.sleep(STATISTICS_SECONDS)
        print(f"database transactions per rotation: {(database.transactions() - transactions) / count:.1f}")
    if options.statements:
        report_statements(database.statements(), count, options.statements)
    return published == count


def drain(stage):
    """Makes all due and waits until none is; how many seconds that took."""
    now = round(time.time() * 1000)
    stage.make_due(now - LONG_DUE_SECONDS * 1000)
    began = progressed = time.monotonic()
    before = None
    while left := stage.left(now + NEXT_SECONDS_MIN * 1000):
        if left != before:
            before, progressed = left, time.monotonic()
        if time.monotonic() > progressed + STALLED_SECONDS_MAX:
            raise Broken(f"the drain goes on; {left} are left")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def record_nodes(stage):
    pids = ",".join(str(node.pid) for node in stage.nodes)
    file = pathlib.Path(tempfile.gettempdir()) / "keywheel-scale.perf"
    print(f"perf report --input {file}")
    command = ["perf", "record", "--quiet", "--call-graph", "fp", "--pid", pids, "--output", str(file)]
    return subprocess.Popen(command)


def report(count, took, used):
    print(f"{took:.1f} s: {count / took:.1f} rotations/s")
    for name, seconds in used.items():
        print(f"{name:<12} {seconds:8.1f} s of a core, {1000 * seconds / count:6.2f} ms a rotation")
    together = sum(used.values())
    print(f"together     {together:8.1f} s of a core, {together / took:.2f} of {os.cpu_count()} cores busy")
    print(f"{count / used['nodes']:.0f} rotations/s and core of the nodes alone, {count / together:.0f} of all")


def report_statements(statements, count, most):
    calls = sum(calls for calls, _, _ in statements)
    took = sum(took for _, took, _ in statements)
    print(f"statements per rotation: {calls / count:.1f}, {took / count:.2f} ms of execution")
    for calls, took, text in statements[:most]:
        print(f"{calls / count:7.2f} x {took / max(calls, 1):7.3f} ms  {text[:150]}")


if __name__ == "__main__":
    main()
