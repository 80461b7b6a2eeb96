"""A PostgreSQL server for tests: in a folder of its own, on a free port of 127.0.0.1.

It does not wait for the disk: what it is asked to keep need not outlive the machine, only its own process.
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Where Debian's packages put what is not meant for everyone's path; the last one is the newest.
DEBIAN = "/usr/lib/postgresql"
# The server refuses to run as root; these are who it may be then, in this order.
OTHERS = ("postgres", "nobody")
# How long the server may take to start, in seconds. It takes less than one.
START_MAX = 60
# Enough for the pools of all tests that run at the same time.
CONNECTIONS_MAX = 300
USER = "keywheel"


class Postgres:
    """A server; begun, ended, and begun again on the same data."""

    def __init__(self, folder, **settings):
        self.folder, self.data, self.log = folder, folder / "data", folder / "log"
        self.identity = unprivileged(folder)
        self.port = free_port()
        self.settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": folder,
            "max_connections": CONNECTIONS_MAX,
            "fsync": "off",
            "full_page_writes": "off",
        } | settings
        self.process = None
        self.make()
        self.start()

    def address(self, database="postgres"):
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def make(self):
        # Sorted as people's databases are, so that an order by bytes has to be asked for.
        sorted_as_in = ["--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US"]
        make = [program("initdb"), "--pgdata", self.data, "--username", USER, "--auth", "trust", "--encoding", "UTF8",
                "--no-sync", *sorted_as_in]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.identity)

    def start(self):
        arguments = [argument for name, value in self.settings.items() for argument in ("-c", f"{name}={value}")]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen([program("postgres"), "-D", self.data, *arguments], stdout=output,
                                            stderr=subprocess.STDOUT, cwd=self.folder, **self.identity)
        ends = time.monotonic() + START_MAX
        ready = [program("pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > ends:
                sys.exit(f"PostgreSQL does not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def stop(self):
        """At once, and in order: whoever is still connected is cut off."""
        self.end(signal.SIGINT)

    def crash(self):
        """At once, as after a power cut: the next start goes on from the log."""
        self.end(signal.SIGQUIT)

    def end(self, how):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()


@contextlib.contextmanager
def running(**settings):
    """A server in a temporary folder."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keywheel-postgres-"))
    server = None
    try:
        server = Postgres(folder, **settings)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged(folder):
    """Who the server is to be, as arguments of subprocess; the folder becomes theirs."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(known[name] for name in OTHERS if name in known)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def program(name):
    found = shutil.which(name)
    newest_first = sorted(pathlib.Path(DEBIAN).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True)
    if not found and not newest_first:
        sys.exit(f"there is no {name}: install PostgreSQL 15 or later, for example with: sudo apt-get install postgresql")
    return found or str(newest_first[0])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
