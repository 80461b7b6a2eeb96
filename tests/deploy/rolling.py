"""Nodes behind the HAProxy of deploy/ that stop, die and come back under load, and what clients notice."""

import collections
import concurrent.futures
import http.client
import itertools
import json
import os
import secrets
import time
import urllib.parse

import files
from cluster import Database
from support import ROTATIONS, Api, Background, Broken, Process, Sandbox, Server, free_port, require, until

# How long requests go on before, between and after the restarts.
LOAD_SECONDS = 2
# How long a node is away: longer than tries at that node alone would go on.
AWAY_SECONDS = 5
REST_SECONDS = 0.005
# Of one node, each with a connection.
CLIENTS = 8
REQUEST_SECONDS_MAX = 30
# Fewer would say little about the moments that matter.
REQUESTS_MIN = 100


class Front:
    """HAProxy with the configuration of deploy/, in the place of a server."""

    def __init__(self, folder, nodes):
        self.port, self.aws = free_port(), nodes[0].aws
        self.url = f"http://127.0.0.1:{self.port}"
        addresses = {"LISTEN": f"127.0.0.1:{self.port}"}
        for number, node in enumerate(nodes, start=1):
            addresses[f"NODE_{number}"] = f"127.0.0.1:{node.port}"
        configuration = str(files.DEPLOY / "haproxy.cfg")
        self.program = Process(["haproxy", "-db", "-f", configuration], folder / "haproxy.txt", addresses)
        self.program.answers(self.url + "/readyz")

    def has_seen(self, number, state):
        """Whether HAProxy has told that a node is UP again, or DOWN."""
        return f"Server nodes/node{number} is {state}" in self.program.output()

    def answers_of(self, number):
        return self.program.output().count(f" nodes/node{number} ")


class Load(Background):
    """Clients of several kinds, each asking again and again; what went wrong."""

    def __init__(self, front, kinds):
        super().__init__()
        self.front = front
        self.counts, self.faults = collections.Counter(), []
        for kind, request in kinds.items():
            self.goes_on(self.ask, kind, *request)

    def check(self, kinds):
        """Requires that requests of these kinds were many, and that none of them failed."""
        print(", ".join(f"{count} {kind}" for kind, count in self.counts.items()), flush=True)
        faults = [fault for fault in self.faults if fault.startswith(tuple(kinds))]
        require(not faults, f"no request fails; {len(faults)} did, such as {faults[:5]}")
        for kind in kinds:
            require(self.counts[kind] >= REQUESTS_MIN, f"there were {REQUESTS_MIN} {kind} or more: {self.counts[kind]}")

    def ask(self, kind, keeps, method, path, body, headers):
        connection = None
        while not self.ended.is_set():
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.front.port, timeout=REQUEST_SECONDS_MAX)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    self.faults.append(f"{kind}: {answer.status} {text[:200]!r}")
            except (OSError, http.client.HTTPException) as fault:
                self.faults.append(f"{kind}: {fault!r}")
                connection.close()
                connection = None
            self.counts[kind] += 1
            if connection is not None and not keeps:
                connection.close()
                connection = None
            time.sleep(REST_SECONDS)


def requests(api):
    """Reads and logins, over connections that are kept and over new ones."""
    query = urllib.parse.urlencode({"workspaceId": api.project, "environment": "dev", "secretPath": "/"})
    sends = {"Content-Type": "application/json"}
    read = ("GET", f"/api/v3/secrets/raw/app_ID?{query}", None, {"Authorization": f"Bearer {api.token}"})
    login = {name: api.deployer[name] for name in ("clientId", "clientSecret")}
    login = ("POST", "/api/v1/auth/universal-auth/login", json.dumps(login), sends)
    return {
        "reads, connection kept": (True, *read),
        "reads, new connections": (False, *read),
        "logins, connection kept": (True, *login),
        "logins, new connections": (False, *login),
    }


class Nodes:
    """Two nodes on one database behind HAProxy, with a rotation."""

    def __init__(self, binary, folder):
        require("KEYWHEEL_TEST_POSTGRES" in os.environ, "PostgreSQL is there: run beside tests/postgres/main.py")
        aws = Sandbox(binary, folder)
        aws.user("app")
        root_key = folder / "root.key"
        root_key.touch(0o600)
        root_key.write_text(secrets.token_hex(32))
        settings = {
            "KEYWHEEL_DATABASE_URL": Database().url,
            "KEYWHEEL_ROOT_KEY_FILE": str(root_key),
            "KEYWHEEL_DRAIN_DELAY": files.COMPOSE["services"]["node1"]["environment"]["KEYWHEEL_DRAIN_DELAY"],
        }
        self.nodes = []
        for number in (1, 2):
            place = folder / f"node{number}"
            place.mkdir()
            self.nodes.append(Server(binary, place, aws, settings))
        self.front = Front(folder, self.nodes)
        self.api = Api(self.front)
        self.api.ok("POST", ROTATIONS, self.api.rotation(self.api.connect()["id"]))

    def comes_back(self, number):
        """Starts a node that is away; it has to answer requests again."""
        answers = self.front.answers_of(number)
        time.sleep(AWAY_SECONDS)
        self.nodes[number - 1].start()
        until(f"HAProxy sees node {number} again", lambda: self.front.has_seen(number, "UP") or None)
        time.sleep(LOAD_SECONDS)
        require(self.front.answers_of(number) > answers, f"node {number} answers again")


def a_rolling_restart_loses_no_request(binary, folder):
    nodes = Nodes(binary, folder)
    with Load(nodes.front, requests(nodes.api)) as load:
        time.sleep(LOAD_SECONDS)
        for number, node in enumerate(nodes.nodes, start=1):
            node.program.stop()
            require(nodes.front.has_seen(number, "DOWN"), f"node {number} is passed over before it ends")
            nodes.comes_back(number)
    load.check(load.counts)


def a_node_that_dies_loses_no_read(binary, folder):
    nodes = Nodes(binary, folder)
    with Load(nodes.front, requests(nodes.api)) as load:
        time.sleep(LOAD_SECONDS)
        nodes.nodes[0].program.kill()
        nodes.comes_back(1)
    # A login that it was working on may have been done: it is not sent twice.
    load.check([kind for kind in load.counts if kind.startswith("reads")])


def a_connection_that_is_kept_ends_with_an_answer(binary, folder):
    """What stands before the nodes need not understand HTTP: clients of a Kubernetes service keep connections to pods."""
    node = Server(binary, folder, Sandbox(binary, folder), {"KEYWHEEL_DRAIN_DELAY": "1s"})
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        ends = [clients.submit(until_closed, node) for _ in range(CLIENTS)]
        time.sleep(LOAD_SECONDS)
        node.program.stop()
    answers = [end.result() for end in ends]
    require(min(answers) >= REQUESTS_MIN, f"each of them was used: {answers}")


def until_closed(node):
    """Asks over one connection until an answer says that it is the last; the number of answers."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=REQUEST_SECONDS_MAX)
    for count in itertools.count(1):
        try:
            connection.request("GET", "/api/status")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as fault:
            raise Broken(f"a client is told before its connection ends, and not {fault!r}") from None
        if answer.getheader("Connection") == "close":
            return count
        time.sleep(REST_SECONDS)


def stories():
    yield "a connection that is kept ends with an answer", a_connection_that_is_kept_ends_with_an_answer
    if "postgres" in os.environ.get("KEYWHEEL_TEST_WITHOUT", "").split(","):
        print("skipped the rolling restart: postgres is left out by --without", flush=True)
        return
    yield "a rolling restart loses no request", a_rolling_restart_loses_no_request
    yield "a node that dies loses no read", a_node_that_dies_loses_no_read
