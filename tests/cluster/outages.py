"""The database goes away, at chosen moments or for a while: nothing is lost, nothing is done twice, all come back."""

import collections
import itertools
import random
import secrets
import time

from cluster import POLL_SECONDS, Cluster, at_once
from server import running
from support import ROTATIONS, Background, Broken, require, until

# Statements of a rotation that are drawn, beside all of its commits.
DRAWN = 9
# Within this all nodes are back after the database is.
BACK_SECONDS_MAX = 5
# How long the database is away: shorter than a node keeps trying to record a key whose secret only it has.
AWAY_SECONDS = 2.5


def cut_anywhere(binary, folder):
    """The connection is cut before or after each commit of a rotation, and at some other statements."""
    cluster = Cluster(binary, folder)
    seed = secrets.token_hex(4)
    dice = random.Random(seed)
    users = cluster.users(len(cluster.nodes), keys=2)
    # Reads leave commits in the audit log; those of this one are not counted.
    reader = cluster.node("reader")
    wire = cluster.nodes[0].to_database
    commits, statements = wire.commits, wire.statements
    cluster.rotate(users[0], cluster.nodes[0])
    commits, statements = wire.commits - commits, wire.statements - statements
    moments = [("commit", number) for number in range(1, commits + 1)]
    moments += [("statement", dice.randint(1, statements)) for _ in range(DRAWN)]
    moments = [(*moment, dice.choice(("before", "after"))) for moment in moments]
    print(f"        seed {seed}: {commits} commits and {DRAWN} of {statements} statements", flush=True)

    def lane(number):
        node, user = cluster.nodes[number], users[number]
        outcomes = []
        with cluster.application(user, reader) as application:
            for moment in moments[number :: len(users)]:
                try:
                    outcomes.append(cut_at(cluster, node, user, moment))
                    application.check()
                except Broken as promise:
                    raise Broken(f"cut at {moment}: {promise}") from None
        return outcomes

    outcomes = collections.Counter(outcome for lane in at_once(lane, range(len(users))) for outcome in lane)
    print(f"        answers, and rotations: {dict(outcomes)}", flush=True)
    for node in cluster.nodes:
        writes_are_cut(cluster, node)
    cluster.check()


def first_create_is_cut(binary, folder):
    """The same in the making of a rotation: it is there with a key that works, or can be made."""
    cluster = Cluster(binary, folder)
    seed = secrets.token_hex(4)
    dice = random.Random(seed)
    wire = cluster.nodes[0].to_database
    before = wire.commits
    cluster.user("whole", node=cluster.nodes[0])
    commits = wire.commits - before
    moments = [("commit", number, dice.choice(("before", "after"))) for number in range(1, commits + 1)]
    print(f"        seed {seed}: {[how for _, _, how in moments]} each commit", flush=True)

    def lane(number):
        node = cluster.nodes[number]
        for moment in moments[number :: len(cluster.nodes)]:
            try:
                create_at(cluster, node, "-".join(map(str, moment)), moment)
            except Broken as promise:
                raise Broken(f"cut at {moment}: {promise}") from None

    at_once(lane, range(len(cluster.nodes)))
    cluster.check()


def create_at(cluster, node, user, moment):
    """Makes a rotation, and makes it again until that is answered with yes, or that it is there."""
    cluster.aws.user(user)
    api, body = cluster.at(node), cluster.api.rotation(cluster.connection, user)
    node.to_database.strike(*moment)
    status, answer = api.call("POST", ROTATIONS, body)
    node.to_database.spare()
    require(status in (200, 503), f"it is made, or the database was away: {status} {answer}")
    cluster.make(api, body)
    cluster.until_at_rest([user])
    place = f"projectId={api.project}&environment=dev&secretPath=/"
    found = api.ok("GET", f"{ROTATIONS}/rotation-name/rotate-{user}?{place}")["secretRotation"]
    cluster.rotations[user], cluster.wanted[user] = found["id"], 1
    require(len(cluster.aws.keys(user)) == 1, f"there is one key: {cluster.aws.keys(user)}")


def cut_at(cluster, node, user, moment):
    """One rotation that is cut at a moment: the answer, and how often it was rotated."""
    node.to_database.strike(*moment)
    status, answer = cluster.at(node).call("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets")
    node.to_database.spare()
    require(status in (200, 503), f"it is done, or the database was away: {status} {answer}")
    cluster.until_at_rest([user])
    made = cluster.created(user) - cluster.wanted[user]
    is_true = made == 1 or (made == 0 and status == 503)
    require(is_true, f"it is rotated once, or never if that is said: {status}, {made}")
    cluster.wanted[user] += made
    return status, made


def writes_are_cut(cluster, node):
    """What a client is told about its own writes is true, and the request after it is served."""
    place = {"projectId": cluster.api.project, "environment": "dev", "secretPath": "/"}
    query = "&".join(f"{key}={value}" for key, value in place.items())
    api, served = cluster.at(node), 0
    # Some commits are of other things that the node does.
    for number, how in itertools.product((1, 2, 3), ("before", "after")):
        path = f"/api/v4/secrets/CUT_{how.upper()}_{number}_{node.name}"
        node.to_database.strike("commit", number, how)
        status, answer = api.call("POST", path, place | {"secretValue": "x"})
        node.to_database.spare()
        require(status in (200, 503), f"it is written, or that is not known: {status} {answer}")
        served += status == 200
        shown, answer = api.call("GET", f"{path}?{query}")
        is_true = shown == 200 or (shown == 404 and status == 503)
        require(is_true, f"what is said to be written is there: {status}, {answer}")
        again, answer = api.call("POST", path, place | {"secretValue": "x"})
        require(again == (400 if shown == 200 else 200), f"it can be written once: {shown}, {again} {answer}")
    require(served < 6, "some were cut")


class Load(Background):
    """Clients of one node that go on whatever they are answered, and take down each answer."""

    def __init__(self, cluster, node, user):
        super().__init__()
        self.cluster, self.node, self.user = cluster, node, user
        self.answers = collections.Counter()
        self.wrong, self.written = [], []
        self.asked, self.granted = 0, 0
        for deed in (self.read, self.log_in, self.write, self.rotate):
            self.goes_on(self.repeat, deed)

    def repeat(self, deed):
        number = 0
        while not self.ended.wait(0.05):
            number += 1
            try:
                status, answer = deed(number)
            except OSError as fault:
                status, answer = "no answer", repr(fault)
            self.answers[(deed.__name__, status)] += 1
            if status not in (200, 503):
                self.wrong.append((deed.__name__, status, answer))

    def call(self, *request):
        return self.cluster.at(self.node).call(*request)

    def read(self, _):
        return self.call("GET", f"/api/v4/secrets?projectId={self.cluster.api.project}&environment=dev&secretPath=/")

    def log_in(self, _):
        login = {key: self.cluster.api.deployer[key] for key in ("clientId", "clientSecret")}
        return self.call("POST", "/api/v1/auth/universal-auth/login", login)

    def write(self, number):
        name = f"LOAD_{self.node.name}_{number}".upper()
        place = {"projectId": self.cluster.api.project, "environment": "dev", "secretPath": "/"}
        status, answer = self.call("POST", f"/api/v4/secrets/{name}", place | {"secretValue": name})
        if status == 200:
            self.written.append(name)
        return status, answer

    def rotate(self, _):
        status, answer = self.call("POST", f"{ROTATIONS}/{self.cluster.rotations[self.user]}/rotate-secrets")
        if status == 400 and "already in progress" in answer["message"]:
            return 503, answer  # what the outage stopped is taken up again
        self.asked += 1
        self.granted += status == 200
        return status, answer


def database_restarts(binary, folder):
    """The database is killed under load and comes back: so do all nodes, by themselves."""
    with running(synchronous_commit="on") as server:
        cluster = Cluster(binary, folder, server=server.address())
        users = cluster.users(len(cluster.nodes) + 4)
        loads = [Load(cluster, *which) for which in zip(cluster.nodes, users)]
        with cluster.application(users[0]) as application, loads[0], loads[1], loads[2]:
            time.sleep(1)
            cluster.make_due(users[len(cluster.nodes) :])
            time.sleep(0.3)
            server.crash()
            gone = time.monotonic()
            for node in cluster.nodes:
                until(f"{node.name} is not ready", lambda: node.status("/readyz") == 503 or None, POLL_SECONDS)
                require(node.status("/healthz") == 200, f"{node.name} is alive")
            time.sleep(max(0, AWAY_SECONDS - (time.monotonic() - gone)))
            server.start()
            back = time.monotonic()
            for node in cluster.nodes:
                until(f"{node.name} is ready again", lambda: node.is_ready() or None, BACK_SECONDS_MAX)
            print(f"        ready again after {time.monotonic() - back:.1f} s", flush=True)
            time.sleep(2)
        application.check()
        answers = sum((load.answers for load in loads), collections.Counter())
        print(f"        answers: {dict(sorted(answers.items(), key=str))}", flush=True)
        wrong = [refusal for load in loads for refusal in load.wrong]
        require(not wrong, f"a request is answered, or with 503: {wrong[:3]}")
        require(sum(count for (_, status), count in answers.items() if status == 503) > 0, "the outage was noticed")
        cluster.until_at_rest()
        for load in loads:
            made = cluster.created(load.user) - cluster.wanted[load.user]
            said = f"{load.granted} were done, {load.asked} were asked for"
            is_true = load.granted <= made <= load.asked
            require(is_true, f"each rotation was done once: {said}, and AWS made {made} keys")
            cluster.wanted[load.user] += made
            for name in load.written:
                require(cluster.api.secret(name)["secretValue"] == name, "what was said to be written is there")
        cluster.check()


STORIES = [
    ("the database is cut off at each commit of a rotation", cut_anywhere),
    ("the database is cut off at each commit of a first create", first_create_is_cut),
    ("the database is killed under load and comes back", database_restarts),
]
