"""From one server with SQLite to several on PostgreSQL."""

from cluster import POLL_SECONDS, ROTATION_SECONDS_MAX, Cluster, at_once
from invariants import pair
from support import ROTATIONS, require


def copied(binary, folder):
    """Everything is there as it was, tokens too, and the rotations go on."""
    cluster = Cluster(binary, folder, nodes=1, KEYWHEEL_DATABASE_URL="")
    (alone,) = cluster.nodes
    users = cluster.users(6, keys=2)
    before = shown(cluster, users)
    source = f"sqlite://{alone.folder / 'data' / 'keywheel.db'}"
    to_there = ("copy", "--database-url", source, "--to", cluster.database.url)
    status, words = cluster.run(*to_there)
    require(status != 0, f"what a server works on is not copied: {words}")
    alone.program.stop()
    status, words = cluster.run(*to_there)
    require(status == 0, f"it is copied: {words}")
    require(cluster.run(*to_there)[0] != 0, "and not copied over what is there")
    cluster.nodes[:] = at_once(lambda number: cluster.node(f"moved{number}"), range(3))
    after = shown(cluster, users)
    require(after == before, f"everything is as it was: {before}, {after}")
    with cluster.application(users[0]) as application:
        cluster.make_due(users)
        cluster.until_done("the rotations go on", users, POLL_SECONDS + 2 * ROTATION_SECONDS_MAX)
        at_once(cluster.rotate, users)
    application.check()
    cluster.check()


def shown(cluster, users):
    """What clients are shown of each user, asked with the token from before."""

    def of(user):
        rotation = f"{ROTATIONS}/{cluster.rotations[user]}"
        keys = cluster.api.ok("GET", f"{rotation}/keys")["keys"]
        states = {key["accessKeyId"]: (key["state"], key["origin"]) for key in keys}
        return cluster.api.ok("GET", rotation)["secretRotation"], states, pair(cluster.api, user)

    return [of(user) for user in users]


STORIES = [("one server with SQLite becomes three on PostgreSQL", copied)]
