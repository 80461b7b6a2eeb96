"""What AWS can bear is a limit for all nodes together."""

import datetime

from cluster import Cluster
from support import require

CALLS_PER_SECOND = 10
ROTATIONS_MAX = 3
# Calls that left in time may come late, on a machine that is busy with other things.
LATE_SECONDS = 1


def calls_per_second(binary, folder):
    """Whatever the nodes do, AWS sees no more calls a second than were set, but for one burst."""
    cluster = Cluster(binary, folder, KEYWHEEL_AWS_CALLS_PER_SECOND=str(CALLS_PER_SECOND))
    users = cluster.users(12)
    before = len(cluster.aws.calls())
    cluster.make_due(users)
    cluster.until_done("all are rotated", users, 40)
    moments = [moment(entry) for entry in cluster.aws.calls()[before:]]
    worst = max(
        (count + 1 - CALLS_PER_SECOND * (last - first), count + 1, last - first)
        for start, first in enumerate(moments)
        for count, last in enumerate(moments[start:])
    )
    densest = f"{worst[1]} in {worst[2]:.2f} s"
    print(f"        {len(moments)} calls in {moments[-1] - moments[0]:.1f} s; the densest: {densest}", flush=True)
    require(worst[0] <= CALLS_PER_SECOND * (1 + LATE_SECONDS),
            f"no more than {CALLS_PER_SECOND} a second and a burst of as many: {densest}")
    cluster.check()


def rotations_max(binary, folder):
    """No more users of an account are under way at the same time than were set."""
    cluster = Cluster(binary, folder, KEYWHEEL_ROTATIONS_MAX=str(ROTATIONS_MAX))
    users = cluster.users(12)
    # Slow, so that all nodes look for work while some is under way.
    cluster.aws.control("POST", "/faults", {
        "kind": "latency", "action": "ListAccessKeys", "delayMs": 500, "forever": True})
    before = len(cluster.aws.calls())
    cluster.make_due(users)
    cluster.until_done("all are rotated", users, 40)
    cluster.release()
    seen = {}
    for entry in cluster.aws.calls()[before:]:
        if entry["userName"] in users:
            seen.setdefault(entry["userName"], []).append(moment(entry))
    turns = [(min(moments), max(moments)) for moments in seen.values()]
    most = max(sum(first <= begun <= last for first, last in turns) for begun, _ in turns)
    print(f"        at most {most} under way at the same time", flush=True)
    require(len(seen) == len(users) and most <= ROTATIONS_MAX, f"never more than {ROTATIONS_MAX}: {most}")
    cluster.check()


def moment(entry):
    """When AWS saw a call, in seconds."""
    at = entry["at"]
    return at / 1000 if isinstance(at, int | float) else datetime.datetime.fromisoformat(at).timestamp()


STORIES = [
    ("calls a second are limited for the cluster", calls_per_second),
    ("rotations at the same time are limited for the cluster", rotations_max),
]
