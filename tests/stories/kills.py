"""The server is killed with SIGKILL at every boundary of what it does to a user, and started again.

It is a build with the feature `fault-points`. The boundaries are not listed here: one undisturbed run writes them
down, so none is forgotten when the engine changes.
"""

import concurrent.futures
import functools
import threading

from invariants import Application, check_calls, created, pair
from support import ROTATIONS, Api, Broken, Sandbox, Server, require, until

# Servers at the same time, each with an AWS of its own: they mostly wait.
LANES = 6
NEIGHBOUR = "neighbour"


class Lane:
    """A server, its AWS, and one user for each point at which the server is killed."""

    def __init__(self, binary, folder, deed, users):
        folder.mkdir()
        self.folder = folder
        self.aws = Sandbox(binary, folder)
        self.server = Server(binary, folder, self.aws)
        self.api = Api(self.server)
        self.connection = self.api.connect()["id"]
        self.aws.user(NEIGHBOUR, keys=2)
        self.neighbours = self.aws.keys(NEIGHBOUR)
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            self.cases = dict(zip(users, pool.map(lambda user: deed(self, user), users), strict=True))
        self.server.program.stop()

    def trace(self, user):
        """The names of the points that an undisturbed run passes."""
        file = self.folder / "trace"
        self.server.restart(KEYWHEEL_FAULT_TRACE=str(file))
        self.cases[user].ask()
        self.server.program.stop()
        self.server.environment.pop("KEYWHEEL_FAULT_TRACE")
        return file.read_text().splitlines()

    def kill_at(self, user, points, point):
        """Kills at one point and lets the deed see that nothing was lost."""
        case, reached = self.cases[user], self.folder / f"reached-{user}"
        with Application(self.aws, self.api, user) as application:
            self.server.restart(KEYWHEEL_FAULT_POINT=point, KEYWHEEL_FAULT_REACHED=str(reached))
            threading.Thread(target=case.ask_in_vain, daemon=True).start()
            until(f"{point} is reached", lambda: True if reached.exists() else None)
            self.server.program.kill()
            case.while_dead(points, point)
            self.server.restart(KEYWHEEL_FAULT_POINT="")
            case.afterwards(points, point)
            if not case.ends_the_pair:
                application.check()
        check_calls(self.aws, self.cases)
        require(self.aws.keys(NEIGHBOUR) == self.neighbours, "the keys of others are as they were")
        self.server.program.stop()


class Case:
    """One user, and what is done to it."""

    ends_the_pair = False

    def __init__(self, lane, user, keys=0):
        self.lane, self.user = lane, user
        self.aws, self.api = lane.aws, lane.api
        self.aws.user(user, keys)
        self.foreign = self.aws.keys(user)
        self.before = None

    def make(self):
        wanted = self.api.rotation(self.lane.connection, self.user)
        return self.api.call("POST", ROTATIONS, wanted)

    def ask_in_vain(self):
        """Asks a server that will not live to answer."""
        try:
            self.ask()
        except OSError:
            pass

    def while_dead(self, points, point):
        if self.before:
            require(self.aws.accepts(self.before), "the pair works while the server is dead")

    def own_keys(self):
        return set(self.aws.keys(self.user)) - set(self.foreign)

    def check_foreign(self):
        now = self.aws.keys(self.user)
        require(all(now.get(key) == status for key, status in self.foreign.items()), f"foreign keys are kept: {now}")

    def remove_by_hand(self, key):
        self.aws.control("POST", "/foreign", {"do": "deleteKey", "userName": self.user, "accessKeyId": key})


class Rotation(Case):
    """A rotation in its steady state: two keys of ours, the older one has to go."""

    def __init__(self, lane, user):
        super().__init__(lane, user)
        status, made = self.make()
        require(status == 200, f"the first key is made: {made}")
        self.id = made["secretRotation"]["id"]
        self.api.rotate(self.id)
        self.before = pair(self.api, user)

    def ask(self):
        self.api.call("POST", f"{ROTATIONS}/{self.id}/rotate-secrets")

    def afterwards(self, points, point):
        made, orphan = 3, None
        if is_lost(points, point):
            orphan = until("the failure is shown", self.named_orphan)
            require(pair(self.api, self.user) == self.before, "the published pair stays")
            require(created(self.aws, self.user)[-1] == orphan, "nothing is created while a lost key is there")
            self.remove_by_hand(orphan)
            made = 4
        if orphan or not is_durable(points, point):
            self.api.rotate(self.id)
        after = until("the rotation completes", self.moved_on)
        require(self.aws.accepts(after), f"the new pair works: {after['accessKeyId']}, {self.aws.keys(self.user)}")
        require(self.aws.accepts(self.before), f"the pair before it works: {self.before['accessKeyId']}, {self.aws.keys(self.user)}")
        wanted = {after["accessKeyId"], self.before["accessKeyId"]}
        require(self.own_keys() == wanted, f"there are just these two keys: {self.aws.keys(self.user)}")
        require(len(created(self.aws, self.user)) == made, "no key is created twice")

    def named_orphan(self):
        shown = self.api.ok("GET", f"{ROTATIONS}/{self.id}")["secretRotation"]
        text = shown["lastRotationMessage"] if shown["rotationStatus"] == "failed" else None
        named = [key for key in self.own_keys() if text and key in text and key != self.before["accessKeyId"]]
        return named[0] if named else None

    def moved_on(self):
        published = pair(self.api, self.user)
        shown = self.api.ok("GET", f"{ROTATIONS}/{self.id}")["secretRotation"]
        done = published != self.before and shown["rotationStatus"] == "success"
        return published if done else None


class FirstCreate(Case):
    """The first key of a rotation."""

    def ask(self):
        self.make()

    def afterwards(self, points, point):
        lost = self.own_keys() if is_lost(points, point) else set()
        if lost and self.foreign:
            # Both slots are taken, and no key is touched that is not known to be ours.
            until("the lost key is named", lambda: self.refused_for(lost))
            require(self.own_keys() == lost, "it is left alone")
            lost_key = lost.pop()
            self.remove_by_hand(lost_key)
            made = 2
        else:
            made = 1 + len(lost)
        until("asked again, the rotation is made", self.is_made)
        made_pair = pair(self.api, self.user)
        require(self.aws.accepts(made_pair), "its pair works")
        require(self.own_keys() == {made_pair["accessKeyId"]} | lost, f"there is no other key: {self.own_keys()}")
        require(len(created(self.aws, self.user)) == made, "no key is created twice")
        self.check_foreign()

    def refused_for(self, keys):
        status, answer = self.make()
        require(status == 400, f"there is no room: {answer}")
        return True if all(key in str(answer) for key in keys) else None

    def is_made(self):
        status, answer = self.make()
        return True if status == 200 or "already exists" in str(answer) else None


class Revoke(Case):
    """A deletion that revokes: two keys of ours go, and one of somebody else stays."""

    ends_the_pair = True

    def __init__(self, lane, user):
        super().__init__(lane, user)
        status, made = self.make()
        require(status == 200, f"the first key is made: {made}")
        self.path = f"{ROTATIONS}/{made['secretRotation']['id']}"
        self.api.rotate(made["secretRotation"]["id"])
        self.before = pair(self.api, user)
        self.aws.control("POST", "/foreign", {"do": "createKey", "userName": user, "pastQuota": True})
        own = set(created(self.aws, user))
        self.foreign = {key: status for key, status in self.aws.keys(user).items() if key not in own}

    def ask(self):
        return self.api.call("DELETE", f"{self.path}?deleteSecrets=true&revokeGeneratedCredentials=true")

    def while_dead(self, points, point):
        if points.index(point) <= points.index("before:deactivate:1"):
            super().while_dead(points, point)

    def afterwards(self, points, point):
        if not is_durable(points, point):
            until("asked again, it is done", lambda: True if self.ask()[0] in (200, 404) else None)
        until("the rotation goes", lambda: True if self.api.call("GET", self.path)[0] == 404 else None)
        require(not self.own_keys(), f"no key of ours is left: {self.aws.keys(self.user)}")
        require(self.api.call("GET", self.secret_path())[0] == 404, "its secrets are gone")
        self.check_foreign()

    def secret_path(self):
        return f"/api/v3/secrets/raw/{self.user}_ID?workspaceId={self.api.project}&environment=dev"


def is_durable(points, point):
    """Whether the wish was recorded, so that nobody has to ask again."""
    return points.index(point) >= points.index("after:record:1")


def is_lost(points, point):
    """Whether a key exists whose secret died with the server: created, and not recorded."""
    at, sent = points.index(point), points.index("before:create:1")
    recorded = next(n for n in range(sent, len(points)) if points[n].startswith("after:record"))
    return sent < at < recorded


def at_every_point(binary, folder, deed):
    """Traces the deed once, then kills a server at each point of it, in several lanes."""
    points = Lane(binary, folder / "trace", deed, ["user"]).trace("user")
    require(len(points) > 10 and len(points) == len(set(points)), f"the run tells its points: {points}")
    shares = {folder / f"lane{n}": points[n::LANES] for n in range(LANES)}

    def lane_of(item):
        place, share = item
        users = [f"user{n}" for n in range(len(share))]
        lane = Lane(binary, place, deed, users)
        for user, point in zip(users, share, strict=True):
            try:
                lane.kill_at(user, points, point)
            except Broken as promise:
                raise Broken(f"killed at {point}: {promise}") from None

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lane_of, shares.items()))
    print(f"        {len(points)} points: {' '.join(points)}", flush=True)


STORIES = [
    (f"killed at every point of {name}", functools.partial(at_every_point, deed=deed))
    for name, deed in [
        ("a rotation", Rotation),
        ("a first create", FirstCreate),
        ("a first create beside a foreign key", functools.partial(FirstCreate, keys=1)),
        ("a revoke", Revoke),
    ]
]
