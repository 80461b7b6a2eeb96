"""Whichever node a client asks, it is the same server: also while nodes start, stop, and are exchanged."""

import collections
import secrets
import time

from cluster import POLL_SECONDS, PROBE_SECONDS, TAKEN_OVER_SECONDS_MAX, Cluster
from support import ROTATIONS, Background, Process, call, require, until

# How long a node that is to end says so before it takes no more requests.
DRAIN_DELAY_SECONDS = 1
# And how long it takes to end, with what it has begun.
DRAIN_SECONDS_MAX = 10
LOGIN = "/api/v1/auth/universal-auth/login"
REVOKE = "/api/v1/auth/token/revoke"


def one_server(binary, folder):
    """Nodes that start together on an empty database make it once; what one of them takes back, all refuse."""
    cluster = Cluster(binary, folder)
    versions = cluster.database.ask("SELECT version, success FROM _sqlx_migrations ORDER BY version")
    numbers = [int(number) for number, success in versions if success == "t"]
    require(numbers == list(range(1, len(versions) + 1)), f"the schema was made once: {versions}")
    for node in cluster.nodes:
        status, answer = call("POST", node.url + "/api/v1/admin/bootstrap", {
            "email": "other@keywheel.example", "password": "correct horse battery", "organization": "Other"})
        require(status == 400, f"{node.name} knows that there is an organization: {status} {answer}")
    for first in cluster.nodes:
        taken_back(cluster, first, [node for node in cluster.nodes if node is not first])
    refuses_another_root_key(cluster)
    cluster.check()


def taken_back(cluster, first, others):
    """A token, a client secret and an identity: revoked at one node, refused by the others at the next request."""
    whoami = f"/api/v1/projects/{cluster.api.project}"
    identity = cluster.at(first).identity(f"taken-{first.name}")
    login = {key: identity[key] for key in ("clientId", "clientSecret")}
    tokens = [call("POST", node.url + LOGIN, login)[1]["accessToken"] for node in cluster.nodes]
    for node in cluster.nodes:
        for token in tokens:
            require(call("GET", node.url + whoami, token=token)[0] == 200, f"{node.name} takes a token of any node")
    # The token.
    cluster.at(first).ok("POST", REVOKE, {"accessToken": tokens[0]})
    for node in others:
        status, _ = call("GET", node.url + whoami, token=tokens[0])
        require(status in (401, 403), f"{node.name} refuses a token that {first.name} has revoked: {status}")
        require(call("GET", node.url + whoami, token=tokens[1])[0] == 200, "and no other")
    # The client secret.
    base = f"/api/v1/auth/universal-auth/identities/{identity['id']}/client-secrets/{identity['clientSecretId']}"
    administrator = cluster.at(first, cluster.api.admin_token)
    administrator.ok("POST", base + "/revoke", {})
    for node in others:
        status, _ = call("POST", node.url + LOGIN, login)
        require(status == 401, f"{node.name} refuses a client secret that {first.name} has revoked: {status}")
    # The identity.
    other = cluster.at(first).identity(f"deleted-{first.name}")
    for node in cluster.nodes:
        require(call("GET", node.url + whoami, token=other["token"])[0] == 200, f"{node.name} knows it")
    administrator.ok("DELETE", f"/api/v1/identities/{other['id']}")
    for node in others:
        status, _ = call("GET", node.url + whoami, token=other["token"])
        require(status in (401, 403), f"{node.name} refuses an identity that {first.name} has deleted: {status}")


def refuses_another_root_key(cluster):
    (cluster.folder / "other.key").write_text(secrets.token_hex(32))
    status, words = ended(cluster, "stranger", KEYWHEEL_ROOT_KEY_FILE=str(cluster.folder / "other.key"))
    require(status == 1 and "root key" in words, f"a node with another root key ends, and says why: {status} {words}")


def ended(cluster, name, **settings):
    """Starts a node that is to end by itself; status and words."""
    place = cluster.folder / name
    place.mkdir()
    environment = cluster.nodes[0].environment | {"KEYWHEEL_DATABASE_URL": cluster.database.url} | settings
    arguments = [cluster.binary, "server", "--listen", "127.0.0.1:0", "--data-dir", str(place / "data")]
    program = Process(arguments, place / "server.txt", environment)
    status = until("it ends by itself", program.process.poll, PROBE_SECONDS)
    return status, program.output()


def newer_schema(binary, folder):
    """A node of an older program leaves a database alone that a newer one has changed."""
    cluster = Cluster(binary, folder, nodes=2)
    cluster.user("app")
    for node in cluster.nodes:
        node.program.stop()
    known = cluster.database.value("SELECT max(version) FROM _sqlx_migrations")
    newer = known + 1000
    cluster.database.ask(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) "
        f"VALUES ({newer}, 'of a later version', TRUE, '\\x00', 0)")
    before = everything(cluster.database)
    status, words = ended(cluster, "older")
    require(status == 1, f"it ends with status 1, not {status}: {words}")
    for part in (f"schema version {newer}", f"knows {known} at most", "a later one"):
        require(part in words, f"it says {part!r}: {words}")
    after = everything(cluster.database)
    require(after == before, f"nothing was changed: {set(map(tuple, after)) - set(map(tuple, before))}")
    cluster.database.ask(f"DELETE FROM _sqlx_migrations WHERE version = {newer}")
    for node in cluster.nodes:
        node.start()
    cluster.rotate("app")
    cluster.check()


def everything(database):
    """How often each table was written to."""
    # What a session did is counted when it ends.
    time.sleep(1.2)
    return database.ask(
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables "
        "WHERE relname <> '_sqlx_migrations' ORDER BY relname")


class Balancer(Background):
    """Sends requests to nodes that call themselves ready, as the usual programs do: another node if one cannot be
    reached or says 503, and once more after an answer that never came if the request changes nothing."""

    PROBE_EVERY_SECONDS = 0.1
    TRIES = 40

    def __init__(self, nodes):
        super().__init__()
        self.nodes, self.ready, self.turn = nodes, list(nodes), 0
        self.goes_on(self.watch)

    def watch(self):
        while not self.ended.wait(self.PROBE_EVERY_SECONDS):
            self.ready = [node for node in self.nodes if node.is_ready(1)]

    def call(self, method, path, body=None, token=None, repeatable=False):
        for _ in range(self.TRIES):
            ready = self.ready or self.nodes
            self.turn += 1
            node = ready[self.turn % len(ready)]
            try:
                status, answer = call(method, node.url + path, body, token)
                if status != 503:
                    return status, answer
            except OSError as fault:
                refused = isinstance(getattr(fault, "reason", fault), ConnectionRefusedError)
                if not refused and not repeatable:
                    return None, f"{node.name}: {fault!r}"
            time.sleep(self.PROBE_EVERY_SECONDS)
        return None, "no node serves it"


class Crowd(Background):
    """Clients that go on until they are told to stop, or one of them sees a failure."""

    def __init__(self, cluster, balancer):
        super().__init__()
        self.cluster, self.balancer = cluster, balancer
        self.failed, self.done = [], collections.Counter()

    def repeat(self, deed):
        while not self.ended.wait(0.05):
            status, answer = deed()
            if status != 200:
                self.failed.append((deed.__name__, status, answer))
                return
            self.done[deed.__name__] += 1

    def read(self):
        path = f"/api/v4/secrets?projectId={self.cluster.api.project}&environment=dev&secretPath=/"
        return self.balancer.call("GET", path, token=self.cluster.api.token, repeatable=True)

    def log_in(self):
        login = {key: self.cluster.api.deployer[key] for key in ("clientId", "clientSecret")}
        return self.balancer.call("POST", LOGIN, login, repeatable=True)

    def rotating(self, user):
        def rotate():
            path = f"{ROTATIONS}/{self.cluster.rotations[user]}/rotate-secrets"
            status, answer = self.balancer.call("POST", path, token=self.cluster.api.token)
            self.cluster.wanted[user] += status == 200
            return status, answer
        return rotate


def rolling_restart(binary, folder):
    """Nodes are exchanged one by one under load, in the middle of rotations, and no client sees it."""
    cluster = Cluster(binary, folder, KEYWHEEL_DRAIN_DELAY=f"{DRAIN_DELAY_SECONDS}s")
    by_clients, by_schedule = cluster.users(3, name="asked"), cluster.users(6, name="due")
    with Balancer(cluster.nodes) as balancer, cluster.application(by_clients[0]) as application:
        with Crowd(cluster, balancer) as crowd:
            for deed in (crowd.read, crowd.log_in, *map(crowd.rotating, by_clients)):
                crowd.goes_on(crowd.repeat, deed)
            for node in cluster.nodes:
                # Slow, so that the node that is to go is in the middle of some.
                for user in by_schedule:
                    cluster.aws.control("POST", "/faults", {
                        "kind": "latency", "userName": user, "delayMs": 400, "forever": True})
                cluster.make_due(by_schedule)
                exchange(cluster, node)
                cluster.release()
                cluster.until_done("what was due is done", by_schedule, TAKEN_OVER_SECONDS_MAX)
    application.check()
    print(f"        served: {dict(crowd.done)}", flush=True)
    require(not crowd.failed, f"no client sees a failure: {crowd.failed}")
    require(len(crowd.done) == 3 and min(crowd.done.values()) >= 10, f"there was something to do: {crowd.done}")
    cluster.check()


def exchange(cluster, node):
    """Ends a node in order once it works, and starts it again."""
    leases = "SELECT count(*) FROM managed_users WHERE lease_node IS NOT NULL AND name LIKE 'due%'"
    until("rotations are under way", lambda: cluster.database.value(leases) or None, POLL_SECONDS + 1)
    node.is_away = True
    begun = time.monotonic()
    node.program.stop()
    require(time.monotonic() - begun < DRAIN_SECONDS_MAX, f"it ends within {DRAIN_SECONDS_MAX} s")
    node.start()
    until(f"{node.name} is ready again", lambda: node.is_ready() or None, POLL_SECONDS)
    node.is_away = False


STORIES = [
    ("nodes that start at the same moment are one server", one_server),
    ("a node of an older program leaves a newer database alone", newer_schema),
    ("nodes are exchanged under load and no client sees it", rolling_restart),
]
