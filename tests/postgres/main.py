"""Runs a command beside a PostgreSQL server of its own: tests/postgres/main.py COMMAND [ARGUMENT…]

The command finds the server's address in KEYWHEEL_TEST_POSTGRES; its user may make databases. The server listens on a
free port of 127.0.0.1, keeps its files in a temporary folder, and is ended with the command. It does not wait for the
disk: what it is asked to keep need not outlive the machine.
"""

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


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    # Whoever ends this ends the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keywheel-postgres-"))
    running = []
    try:
        identity = unprivileged(folder)
        address = start(folder, identity, running)
        environment = os.environ | {"KEYWHEEL_TEST_POSTGRES": address}
        sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
    finally:
        for server in running:
            # "Fast": whoever is still connected is cut off.
            server.send_signal(signal.SIGINT)
            server.wait()
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


def start(folder, identity, running):
    """Starts the server and takes down that it is running; its address."""
    data, log = folder / "data", folder / "log"
    # Sorted as people's databases are, so that an order by bytes has to be asked for.
    sorted_as_in = ["--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US"]
    make = [program("initdb"), "--pgdata", data, "--username", USER, "--auth", "trust", "--encoding", "UTF8",
            "--no-sync", *sorted_as_in]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **identity)
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "max_connections": CONNECTIONS_MAX,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        server = subprocess.Popen([program("postgres"), "-D", data, *arguments], stdout=output,
                                  stderr=subprocess.STDOUT, cwd=folder, **identity)
    running.append(server)
    ends = time.monotonic() + START_MAX
    ready = [program("pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > ends:
            sys.exit(f"PostgreSQL does not start:\n{log.read_text()}")
        time.sleep(0.05)
    return f"postgres://{USER}@127.0.0.1:{port}/postgres"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
