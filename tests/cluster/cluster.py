"""Several servers on one database, as processes, and one AWS that they all work on."""

import collections
import concurrent.futures
import copy
import itertools
import os
import secrets
import signal
import subprocess
import time
import urllib.parse

from invariants import Application, check_calls, created, pair
from server import program
from support import QUICK, ROTATIONS, Api, Broken, Sandbox, Server, call, require, until
from wire import AwsWire, PostgresWire

NODES = 3
# How long a node sleeps at most before it looks for work.
POLL_SECONDS = 5
# What a node holds is free this long after the node is gone.
LEASE_SECONDS = float(QUICK["KEYWHEEL_LEASE"].removesuffix("s"))
# A rotation takes less than one, on a machine that does nothing else.
ROTATION_SECONDS_MAX = 8
# Within this the work of a node that is gone is done by another.
TAKEN_OVER_SECONDS_MAX = LEASE_SECONDS + POLL_SECONDS + ROTATION_SECONDS_MAX
# A question to a node that may not answer.
PROBE_SECONDS = 10
SETTINGS = {
    # No story but that of the limits waits for its turn at AWS.
    "KEYWHEEL_AWS_CALLS_PER_SECOND": "1000",
    "KEYWHEEL_WEBHOOKS_ALLOW_INTERNAL": "true",
}


class Database:
    """A new database on the server that the environment names."""

    def __init__(self, server=None):
        self.server = server or os.environ["KEYWHEEL_TEST_POSTGRES"]
        self.name = f"story_{secrets.token_hex(4)}"
        self.ask(f"CREATE DATABASE {self.name}", self.server)
        self.port = urllib.parse.urlsplit(self.server).port
        self.url = self.through(self.port)

    def through(self, port):
        """Its address by way of a port of this machine, without TLS."""
        server = urllib.parse.urlsplit(self.server)
        return f"postgres://{server.username}@127.0.0.1:{port}/{self.name}?sslmode=disable"

    def ask(self, statement, url=None):
        """The rows of a statement, each a list of texts."""
        command = [program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        answer = subprocess.run([*command, url or self.url, "--command", statement],
                                capture_output=True, text=True, check=False)
        require(answer.returncode == 0, f"the database takes {statement}: {answer.stderr}")
        return [line.split("|") for line in answer.stdout.splitlines()]

    def value(self, statement):
        """The one number of a statement."""
        return int(self.ask(statement)[0][0])


class Node(Server):
    """One server of several; what it talks to can be taken from it."""

    def __init__(self, binary, folder, aws, database, settings):
        folder.mkdir()
        self.name = folder.name
        self.to_database = PostgresWire(database.port)
        self.to_aws = AwsWire(aws)
        self.is_away = False
        super().__init__(binary, folder, aws, SETTINGS | {
            "AWS_ENDPOINT_URL": self.to_aws.url,
            "KEYWHEEL_DATABASE_URL": database.through(self.to_database.port),
            "KEYWHEEL_ROOT_KEY_FILE": str(folder.parent / "root.key"),
        } | settings)

    def kill(self):
        self.is_away = True
        self.program.kill()

    def suspend(self):
        """Whatever it does, it does not go on."""
        self.is_away = True
        self.program.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.program.process.send_signal(signal.SIGCONT)
        self.is_away = False

    def is_ready(self, seconds=PROBE_SECONDS):
        return self.status("/readyz", seconds) == 200

    def status(self, path, seconds=PROBE_SECONDS):
        """What a request without a token is answered with; none if it is not."""
        try:
            return call("GET", self.url + path, seconds=seconds)[0]
        except OSError:
            return None

    def is_asking(self, action=None):
        """Whether it waits for an answer of AWS."""
        return any(action in (None, call) for call in list(self.to_aws.unanswered))


class Anywhere:
    """Stands for whichever node is up: another one for each request."""

    def __init__(self, nodes, aws):
        self.nodes, self.aws = nodes, aws
        self.turns = itertools.count()

    @property
    def url(self):
        up = [node for node in self.nodes if not node.is_away] or self.nodes
        return up[next(self.turns) % len(up)].url


class Cluster:
    """Nodes on one database, and their API."""

    def __init__(self, binary, folder, nodes=NODES, server=None, **settings):
        self.binary, self.folder = binary, folder
        self.aws = Sandbox(binary, folder)
        self.database = Database(server)
        (folder / "root.key").write_text(secrets.token_hex(32))
        (folder / "root.key").chmod(0o600)
        self.nodes = at_once(lambda number: self.node(f"node{number}", **settings), range(nodes))
        self.anywhere = Anywhere(self.nodes, self.aws)
        self.api = Api(self.nodes[0])
        self.api.server = self.anywhere
        self.connection = self.api.connect()["id"]
        # For each user how many keys AWS is to have made, and its rotation.
        self.wanted, self.rotations = {}, {}

    def node(self, name, **settings):
        return Node(self.binary, self.folder / name, self.aws, self.database, settings)

    def at(self, node, token=None):
        """The API of one node."""
        api = copy.copy(self.api)
        api.server, api.token = node, token or self.api.token
        return api

    def application(self, user, node=None):
        """Reads its pair anywhere, or at one node, and uses it at once."""
        return Application(self.aws, self.at(node or self.anywhere), user)

    # --- rotations ------------------------------------------------------------------------------------------------

    def users(self, count, name="user", keys=1):
        """Users of AWS, each with a rotation that has made one key or two."""
        users = [f"{name}{number}" for number in range(count)]
        at_once(lambda user: self.user(user, keys), users, lanes=6)
        return users

    def user(self, user, keys=1, node=None):
        self.aws.user(user)
        api, body = self.at(node or self.anywhere), self.api.rotation(self.connection, user)
        self.make(api, body)
        place = f"projectId={api.project}&environment=dev&secretPath=/"
        found = api.ok("GET", f"{ROTATIONS}/rotation-name/rotate-{user}?{place}")["secretRotation"]
        self.rotations[user], self.wanted[user] = found["id"], 1
        for _ in range(keys - 1):
            self.rotate(user)

    def make(self, api, body):
        """Makes a rotation; again, if it is answered that it stopped half-way."""

        def made():
            status, answer = api.call("POST", ROTATIONS, body)
            return True if status == 200 or "already exists" in str(answer) else half_way(status, answer)

        until("it is made", made, TAKEN_OVER_SECONDS_MAX)

    def rotate(self, user, node=None):
        """Rotates; again, if it is answered that it stopped half-way, and nobody went on."""
        self.wanted[user] += 1
        api, path = self.at(node or self.anywhere), f"{ROTATIONS}/{self.rotations[user]}/rotate-secrets"

        def rotated():
            status, answer = api.call("POST", path)
            if status == 200:
                return True
            half_way(status, answer)
            self.until_at_rest([user])
            return True if self.created(user) == self.wanted[user] else None

        until("it is rotated", rotated, TAKEN_OVER_SECONDS_MAX)

    def make_due(self, users):
        """Lets the schedule rotate them now: their time was two days ago, longer than any is spread over."""
        then = int((time.time() - 2 * 86_400) * 1000)
        names = ", ".join(f"'{user}'" for user in users)
        self.database.ask(
            f"BEGIN; UPDATE rotations SET slot_at = {then}, next_attempt_at = {then} WHERE user_name IN ({names});"
            f"UPDATE managed_users SET due_at = {then} WHERE name IN ({names}); COMMIT")
        for user in users:
            self.wanted[user] += 1

    def hold(self, user, action, kind="holdRequest"):
        """AWS lets such calls for a user wait."""
        self.aws.control("POST", "/faults", {"kind": kind, "action": action, "userName": user, "forever": True})

    def release(self):
        self.aws.control("DELETE", "/faults")

    def created(self, user):
        return len(created(self.aws, user))

    def unmade(self, users):
        """How many keys AWS has made, and was to make, for each user for whom that is not the same."""
        calls = self.aws.calls()
        made = collections.Counter(e["userName"] for e in calls if e["action"] == "CreateAccessKey" and e["effect"])
        return {user: (made[user], self.wanted[user]) for user in users if made[user] != self.wanted[user]}

    def is_done(self, users):
        """Whether AWS has made the keys that it was to make, and they are published."""
        return not self.unmade(users) and self.is_at_rest(users)

    def is_at_rest(self, users=None):
        """Whether nothing is under way, nothing is due, and nothing went wrong: for all users, or for these."""
        return not self.restless(users)

    def restless(self, users=None):
        """Users that are not at rest, and why."""
        now = int(time.time() * 1000)
        names = ", ".join(f"'{user}'" for user in users or self.wanted)
        return self.database.ask(
            "SELECT u.name, u.lease_node, u.lease_until, u.unfinished, u.due_at, r.status, r.last_message "
            f"FROM managed_users u LEFT JOIN rotations r ON r.user_id = u.id WHERE u.name IN ({names}) "
            f"AND (u.lease_until > {now} OR u.unfinished IS NOT NULL OR u.due_at <= {now} OR r.status <> 'success')")

    def until_done(self, what, users, seconds):
        try:
            until(what, lambda: self.is_done(users) or None, seconds)
        except Broken as promise:
            left = f"keys made, and wanted: {self.unmade(users)}; not at rest: {self.restless(users)}"
            raise Broken(f"{promise}; {left}") from None

    def until_at_rest(self, users=None, seconds=TAKEN_OVER_SECONDS_MAX):
        try:
            until("everything comes to rest", lambda: self.is_at_rest(users) or None, seconds)
        except Broken as promise:
            raise Broken(f"{promise}: {self.restless(users)}") from None

    def remove_lost(self, user):
        """What its owner does with a key whose secret was lost: looks for it in the ledger, and deletes it at AWS.
        How many there were."""
        keys = self.api.ok("GET", f"{ROTATIONS}/{self.rotations[user]}/keys")["keys"]
        there = self.aws.keys(user)
        suspects = (key["accessKeyId"] for key in keys if key["state"] == "orphan_suspect")
        lost = [key for key in suspects if key in there]
        for key in lost:
            self.aws.control("POST", "/foreign", {"do": "deleteKey", "userName": user, "accessKeyId": key})
        return len(lost)

    # --- what holds after each story ------------------------------------------------------------------------------

    def check(self):
        """Nothing is left to do, nothing was done twice, and nothing is lost."""
        if self.wanted:
            self.until_at_rest()
        check_calls(self.aws, self.wanted)
        for user, wanted in self.wanted.items():
            made = created(self.aws, user)
            require(len(made) == wanted, f"AWS made {wanted} keys for {user}, one for each rotation: {made}")
            for node in self.nodes:
                shown = pair(self.at(node), user)
                require(shown and shown["accessKeyId"] == made[-1], f"{node.name} shows {made[-1]}: {shown}")
            require(self.aws.accepts(shown), f"what is published for {user} works")
        status, words = self.run("audit", "verify")
        require(status == 0, f"the audit log holds: {words}")
        for node in self.nodes:
            require("panicked" not in node.program.output(), f"{node.name} does not panic")

    def run(self, *arguments):
        """Status and words of a command on the database."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYWHEEL_")}
        environment |= {
            "KEYWHEEL_DATABASE_URL": self.database.url,
            "KEYWHEEL_ROOT_KEY_FILE": str(self.folder / "root.key"),
        }
        ran = subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=60, env=environment,
                             cwd=self.folder, check=False)
        return ran.returncode, ran.stdout + ran.stderr


def half_way(status, answer):
    """On a machine that is busy with other things a run may wait until its lease is over: that is said, no failure."""
    is_said = status == 503 or (status == 400 and "in progress" in str(answer))
    require(is_said, f"it is done, or stopped half-way: {status} {answer}")


def at_once(work, items, lanes=None):
    """Does the same with each item at the same time; the results in their order."""
    items = list(items)
    with concurrent.futures.ThreadPoolExecutor(lanes or len(items)) as pool:
        return list(pool.map(work, items))


def in_background(work):
    """Does it meanwhile; what it came to is known by `result`."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    begun = pool.submit(work)
    pool.shutdown(wait=False)
    return begun
