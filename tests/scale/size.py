#!/usr/bin/env python3
"""What grows with the number of rotations and secrets in the store, and what does not:

    tests/scale/size.py BINARY BENCH [--rotations N] [--postgres]

BINARY is a server, BENCH the bench `size` of the store. A server makes a project with a hundred rotations and a thousand
secrets; the database copies it, to a thousand rotations and to N, each with ten secrets. Then both are asked the same,
and servers are started on both. docs/scale.md has the last figures.
"""

import argparse
import contextlib
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "postgres"), str(HERE.parent / "stories")]

from processor import resident_mib  # noqa: E402
from server import running  # noqa: E402
from stage import Node, PostgresDatabase, SqliteDatabase  # noqa: E402
from support import ROTATIONS, Api, Process, Sandbox  # noqa: E402

SEED_ROTATIONS = 100
FOLDERS = 10
# Of each folder, besides the two of each rotation.
PLAIN_SECRETS = 80
FEW = 1_000
STARTS = 7
READS = 1_000
LISTS = 50
# On a busy machine starts differ by as much.
READY_RATIO_MAX = 2
RESIDENT_MIB_MAX = 128
# A larger share of the memory than a test server has, as a database of this size gets.
ROOMY = {"shared_buffers": "1GB", "max_wal_size": "2GB", "autovacuum": "off"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("bench")
    parser.add_argument("--rotations", type=int, default=20_000)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keywheel-size-") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        server = stack.enter_context(running(**ROOMY)) if options.postgres else None
        try:
            houses = []
            for name, rotations in (("small", FEW), ("large", options.rotations)):
                database = PostgresDatabase(server, name) if server else SqliteDatabase(folder / f"{name}.db")
                houses.append(House(options, folder, name, database, rotations // SEED_ROTATIONS - 1))
            good = ask(options.bench, *houses)
            good &= start(options.binary, *houses)
        finally:
            for program in Process.running:
                program.kill()
    sys.exit(not good)


class House:
    """A database that is as full as wanted."""

    def __init__(self, options, folder, name, database, copies):
        self.folder = folder / name
        self.folder.mkdir()
        self.database, self.copies, self.starts = database, copies, 0
        aws = Sandbox(options.binary, self.folder)
        node = self.start(options.binary, aws)
        self.api = Api(node)
        self.seed(aws)
        node.program.stop()
        aws.program.kill()
        subprocess.run([options.bench, "fill", database.url, str(copies)], check=True)

    def start(self, binary, aws):
        self.starts += 1
        return Node(binary, self.folder, self.starts, self.database, aws, {})

    def seed(self, aws):
        connection = self.api.connect()["id"]
        place = {"workspaceId": self.api.project, "environment": "dev"}
        for folder in range(FOLDERS):
            self.api.ok("POST", "/api/v1/folders", place | {"name": f"f{folder}", "path": "/"})
            for number in range(PLAIN_SECRETS):
                secret = place | {"secretPath": f"/f{folder}", "secretValue": "x" * 40}
                self.api.ok("POST", f"/api/v3/secrets/raw/PLAIN_{number}", secret)
        for number in range(SEED_ROTATIONS):
            user = f"app-{number}"
            aws.user(user)
            rotation = self.api.rotation(connection, user, secretPath=f"/f{number % FOLDERS}")
            self.api.rotate(self.api.ok("POST", ROTATIONS, rotation)["secretRotation"]["id"])

    def read(self, node):
        """Reads some of what can be opened: copies of sealed values cannot."""
        self.api.server = node
        query = urllib.parse.urlencode({"workspaceId": self.api.project, "environment": "dev", "secretPath": "/f3"})
        for number in range(READS):
            self.api.ok("GET", f"/api/v3/secrets/raw/PLAIN_{number % PLAIN_SECRETS}?{query}")
        for _ in range(LISTS):
            self.api.ok("GET", f"/api/v3/secrets/raw?{query}")
            self.api.ok("GET", f"{ROTATIONS}?projectId={self.api.project}")


def ask(bench, small, large):
    told = [word for house in (small, large) for word in (house.database.url, str(house.copies))]
    return subprocess.run([bench, "ask", *told], check=False).returncode == 0


def start(binary, small, large):
    """Whether servers are ready as soon on the large database, and no larger than they may be."""
    nowhere = argparse.Namespace(url="http://127.0.0.1:9")
    ready = {small: [], large: []}
    for _ in range(STARTS):
        for house, seconds in ready.items():
            node = house.start(binary, nowhere)
            seconds.append(node.ready_after)
            node.program.stop()
    few, many = (statistics.median(seconds) for seconds in ready.values())
    node = large.start(binary, nowhere)
    time.sleep(1)
    at_rest = resident_mib(node.pid)
    large.read(node)
    after = resident_mib(node.pid)
    print(f"server ready after {few * 1e3:.0f} ms and {many * 1e3:.0f} ms: {many / few:.2f}")
    print(f"resident memory {at_rest:.0f} MiB after the start, {after:.0f} MiB after {READS} reads and lists")
    return many / few <= READY_RATIO_MAX and after <= RESIDENT_MIB_MAX


if __name__ == "__main__":
    main()
