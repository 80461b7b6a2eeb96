"""The server is killed with SIGKILL at every boundary of what it does to a user, and started again.

It is a build with the feature `fault-points`. The boundaries are not listed here: one undisturbed run writes them
down, so none is forgotten when the engine changes.
"""

import concurrent.futures
import functools
import random
import secrets
import threading

import deeds
from invariants import Application, check_calls
from support import ROTATIONS, Api, Broken, Sandbox, Server, require, until

# Servers at the same time, each with an AWS of its own: they mostly wait.
LANES = 8
NEIGHBOUR = "neighbour"
# A second kill comes within this time: a restart goes on at once, and what it has to do takes less than a second.
SECOND_KILL_SECONDS_MAX = 1.0
KILLED_TWICE = 12


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

    def kill_at(self, user, fate, again=None):
        """Kills at a point, and perhaps again some seconds after the restart; lets the deed see that nothing was lost."""
        case, reached = self.cases[user], self.folder / f"reached-{user}"
        with Application(self.aws, self.api, user) as application:
            self.server.restart(KEYWHEEL_FAULT_POINT=fate.point, KEYWHEEL_FAULT_REACHED=str(reached))
            threading.Thread(target=case.ask_in_vain, daemon=True).start()
            until(f"{fate.point} is reached", lambda: True if reached.exists() else None)
            self.server.program.kill()
            case.while_dead(fate)
            self.server.restart(KEYWHEEL_FAULT_POINT="")
            if again is not None:
                application.ended.wait(again)
                self.server.program.kill()
                self.server.restart()
            case.afterwards(fate)
            if not case.ends_the_pair:
                application.check()
        case.check_ledger()
        check_calls(self.aws, self.cases)
        require(self.aws.keys(NEIGHBOUR) == self.neighbours, "the keys of others are as they were")
        self.server.program.stop()


def traced(binary, folder, deed):
    """The points of a deed. Of those within a commit, whose number is chance, one of each commit is drawn."""
    points = Lane(binary, folder / "trace", deed, ["user"]).trace("user")
    waits = {}
    for point in points:
        if point.startswith("within:"):
            waits.setdefault(point.rpartition(":")[0], []).append(point)
    drawn = {random.choice(of_one) for of_one in waits.values()}
    return [point for point in points if point in drawn or not point.startswith("within:")]


def in_lanes(binary, folder, deed, items, kill):
    """Kills for each item, on a user of its own."""

    def lane_of(number):
        share = items[number::LANES]
        users = [f"user{n}" for n in range(len(share))]
        lane = Lane(binary, folder / f"lane{number}", deed, users)
        for user, item in zip(users, share, strict=True):
            try:
                kill(lane, user, item)
            except Broken as promise:
                raise Broken(f"killed at {item}: {promise}") from None

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lane_of, range(min(LANES, len(items)))))


def at_every_point(binary, folder, deed):
    points = traced(binary, folder, deed)
    require(len(points) > 10 and len(points) == len(set(points)), f"the run tells its points: {points}")
    in_lanes(binary, folder, deed, points, lambda lane, user, point: lane.kill_at(user, deeds.Fate(points, point)))
    print(f"        at {len(points)} points", flush=True)


def killed_twice(binary, folder, deed):
    """At a point, and at a moment of what the restart does about it."""
    seed = secrets.token_hex(4)
    dice = random.Random(seed)
    points = traced(binary, folder, deed)
    items = [(point, dice.uniform(0, SECOND_KILL_SECONDS_MAX)) for point in dice.sample(points, KILLED_TWICE)]

    def kill(lane, user, item):
        point, again = item
        lane.kill_at(user, deeds.Fate(points, point, uncertain=True), again)

    in_lanes(binary, folder, deed, items, kill)
    print("        " + ", ".join(f"{point} and {again:.2f} s later" for point, again in items), flush=True)


def without_points(binary, folder):
    """The build that people get has no such points, whatever its environment says."""
    aws = Sandbox(binary, folder)
    reached, trace = folder / "reached", folder / "trace"
    server = Server(binary, folder, aws, {
        "KEYWHEEL_FAULT_POINT": "before:identify:1",
        "KEYWHEEL_FAULT_REACHED": str(reached),
        "KEYWHEEL_FAULT_TRACE": str(trace),
    })
    api = Api(server)
    aws.user("app")
    api.ok("POST", ROTATIONS, api.rotation(api.connect()["id"]))
    require(not reached.exists() and not trace.exists(), "it stops nowhere and traces nothing")


# Against a build with the feature `fault-points`.
STORIES = [
    (f"killed at every point of {name}", functools.partial(at_every_point, deed=deed))
    for name, deed in [
        ("a rotation", deeds.Rotation),
        ("a first create", deeds.FirstCreate),
        ("a first create beside a foreign key", functools.partial(deeds.FirstCreate, keys=1)),
        ("a roll-back", deeds.RollBack),
        ("a retirement", deeds.Retirement),
        ("a revoke", deeds.Revoke),
    ]
] + [("killed twice in a rotation", functools.partial(killed_twice, deed=deeds.Rotation))]

# Against the build that people get.
STORIES_WITHOUT_POINTS = [("the build that people get has no fault points", without_points)]
