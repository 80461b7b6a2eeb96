"""What is measured: a database, a sandbox, nodes, and rotations that can be made due."""

import concurrent.futures
import contextlib
import json
import sqlite3
import subprocess
import time
import urllib.request

from server import program
from support import ROTATIONS, Api, Process, Sandbox, free_port, require

# Waits as short as settings can make them, limits wide open, checks as many as ever.
WIDE_OPEN = {
    "KEYWHEEL_UNSAFE_TIMINGS": "true",
    "KEYWHEEL_VERIFY_SPACING": "1ms",
    "KEYWHEEL_VERIFY_SETTLE": "1ms",
    "KEYWHEEL_LIST_GAP": "1ms",
    "KEYWHEEL_AWS_CALLS_PER_SECOND": "10000",
    "KEYWHEEL_LOG_LEVEL": "error",
    "KEYWHEEL_ROOT_KEY": "07" * 32,
}
# Requests at the same time while everything is made.
MAKERS = 8


class PostgresDatabase:
    """A new database of a server."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.psql(server.address(), f"CREATE DATABASE {name}")
        self.url = server.address(name)

    def ask(self, sql):
        return self.psql(self.url, sql)

    @staticmethod
    def psql(url, sql):
        command = [program("psql"), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator=\t", "--command", sql, url]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line.split("\t") for line in answer.splitlines()]

    def transactions(self):
        sql = f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{self.name}'"
        return int(self.ask(sql)[0][0])

    def count_statements(self):
        self.ask("CREATE EXTENSION pg_stat_statements")

    def forget_statements(self):
        self.ask("SELECT pg_stat_statements_reset()")

    def statements(self):
        """Calls, milliseconds and text of each statement, those first that took most of the time."""
        sql = ("SELECT calls, total_exec_time, replace(query, E'\\n', ' ') FROM pg_stat_statements s "
               f"JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{self.name}' ORDER BY 2 DESC")
        return [(int(calls), float(took), text) for calls, took, text in self.ask(sql)]


class SqliteDatabase:
    """A SQLite file; it costs what its one server costs."""

    def __init__(self, file):
        self.file = file
        self.url = f"sqlite://{file}"

    def ask(self, sql):
        with contextlib.closing(sqlite3.connect(self.file, timeout=60)) as connection, connection:
            return connection.execute(sql).fetchall()


class Node:
    """A server; `Api` speaks to it."""

    def __init__(self, binary, folder, number, database, aws, settings):
        place = folder / f"node-{number}"
        place.mkdir()
        self.aws = aws
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = WIDE_OPEN | {"AWS_ENDPOINT_URL": aws.url, "KEYWHEEL_DATABASE_URL": database.url} | settings
        arguments = [binary, "server", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(place)]
        began = time.monotonic()
        self.program = Process(arguments, folder / f"node-{number}.txt", environment)
        self.program.answers(self.url + "/readyz")
        self.ready_after = time.monotonic() - began

    @property
    def pid(self):
        return self.program.process.pid


class Stage:
    def __init__(self, binary, folder, database, nodes, settings):
        self.database = database
        self.aws = Sandbox(binary, folder)
        self.nodes = [Node(binary, folder, number, database, self.aws, settings) for number in range(nodes)]
        self.api = Api(self.nodes[0])

    def make_rotations(self, count, folders=()):
        """Each with a user of its own; spread over the nodes, and over folders if there are any."""
        connection = self.api.connect()["id"]
        for name in folders:
            self.api.ok("POST", "/api/v2/folders", {"projectId": self.api.project, "environment": "dev", "path": "/", "name": name})
        paths = [f"/{name}" for name in folders] or ["/"]
        with concurrent.futures.ThreadPoolExecutor(MAKERS) as makers:
            for _ in makers.map(lambda number: self.make_rotation(connection, number, paths[number % len(paths)]), range(count)):
                pass

    def make_rotation(self, connection, number, path):
        user = f"app-{number}"
        self.aws.user(user)
        node = self.nodes[number % len(self.nodes)]
        body = json.dumps(self.api.rotation(connection, user, secretPath=path)).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.api.token}"}
        request = urllib.request.Request(node.url + ROTATIONS, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            require(answer.status == 200, f"rotation {number} is made")

    def make_due(self, at):
        """All at the same moment, in milliseconds."""
        self.database.ask(f"UPDATE rotations SET slot_at = {at}, next_attempt_at = {at}")
        self.database.ask(f"UPDATE managed_users SET due_at = {at}")

    def left(self, before):
        """How many are due before a moment, or are still being worked on."""
        sql = f"SELECT count(*) FROM managed_users WHERE due_at < {before} OR lease_node IS NOT NULL"
        return int(self.database.ask(sql)[0][0])

    def published_since(self, moment):
        sql = f"SELECT count(*) FROM rotations WHERE status = 'success' AND last_rotated_at >= {moment}"
        return int(self.database.ask(sql)[0][0])
