"""Nodes do not agree about the time."""

import os

from cluster import POLL_SECONDS, ROTATION_SECONDS_MAX, Cluster
from support import ROTATIONS, Broken, call, require

# Differences from the time of the database and of AWS, in milliseconds: much more than a lease, less than what a
# node takes for a wrong clock.
ASKEW = (-20_000, 0, 20_000)
WRONG = 600_000


def with_clocks(folder, ahead):
    """A cluster of which each node is that much ahead."""
    build = os.environ.get("KEYWHEEL_FAULT_POINTS_BUILD")
    if not build:
        raise Broken("a build with fault points is there: run ./test, or set KEYWHEEL_FAULT_POINTS_BUILD to its path")
    cluster = Cluster(os.path.abspath(build), folder, nodes=1)
    cluster.nodes += [
        cluster.node(f"ahead{number}", KEYWHEEL_FAULT_CLOCK_AHEAD_MS=str(length)) for number, length in enumerate(ahead)
    ]
    # The first one made the organization.
    cluster.nodes.pop(0).program.stop()
    return cluster


def askew(_binary, folder):
    """Leases hold though clocks differ by more than they last; tokens of one node work at all."""
    cluster = with_clocks(folder, ASKEW)
    users = cluster.users(6)
    fences = dict(cluster.database.ask("SELECT name, fence FROM managed_users"))
    with cluster.application(users[0]) as application:
        # Slow, so that there is time to take what somebody else holds.
        cluster.aws.control("POST", "/faults", {
            "kind": "latency", "action": "CreateAccessKey", "delayMs": 1500, "forever": True})
        cluster.make_due(users)
        cluster.until_done("all are rotated", users, POLL_SECONDS + 3 * ROTATION_SECONDS_MAX)
        cluster.release()
    application.check()
    for name, fence in cluster.database.ask("SELECT name, fence FROM managed_users"):
        require(int(fence) == int(fences[name]) + 1, f"{name} was claimed once: {fences[name]}, {fence}")
    for issuer in cluster.nodes:
        login = {key: cluster.api.deployer[key] for key in ("clientId", "clientSecret")}
        _, answer = call("POST", issuer.url + "/api/v1/auth/universal-auth/login", login)
        for node in cluster.nodes:
            client = cluster.at(node, answer["accessToken"])
            status, words = client.call("GET", f"/api/v1/projects/{cluster.api.project}")
            require(status == 200, f"{node.name} takes a token of {issuer.name} at once: {status} {words}")
    cluster.check()


def wrong(_binary, folder):
    """A node whose clock is wrong changes nothing at AWS, and holds up nobody who has the right time."""
    cluster = with_clocks(folder, (0, WRONG, 0))
    node = cluster.nodes[1]
    node.is_away = True
    users = cluster.users(6)
    node.is_away = False
    status, answer = cluster.at(node).call("POST", f"{ROTATIONS}/{cluster.rotations[users[0]]}/rotate-secrets")
    require(status != 200 and "clock" in str(answer), f"it says that its clock is wrong: {status} {answer}")
    cluster.make_due(users)
    cluster.until_done("the others rotate", users, POLL_SECONDS + 3 * ROTATION_SECONDS_MAX)
    cluster.check()


STORIES = [
    ("clocks differ by more than a lease", askew),
    ("the clock of a node is wrong", wrong),
]
