"""What there is to do is done once, by whichever node has room, and soon."""

import contextlib
import http.server
import threading
import time

from cluster import POLL_SECONDS, Cluster, at_once, in_background
from support import ROTATIONS, require, until

DUE = 30
DELIVERIES = 50


def due_at_once(binary, folder):
    """Many rotations are due at the same moment: each runs once, and every node works."""
    cluster = Cluster(binary, folder)
    users = cluster.users(DUE)
    with contextlib.ExitStack() as stack:
        applications = [stack.enter_context(cluster.application(user)) for user in users[:3]]
        cluster.make_due(users)
        cluster.until_done("all are rotated", users, POLL_SECONDS + 20)
        # And twice more: the older keys have to go first, and clients ask, too.
        at_once(lambda user: cluster.rotate(user), users, lanes=8)
        cluster.make_due(users)
        cluster.until_done("all are rotated again", users, POLL_SECONDS + 30)
    for application in applications:
        application.check()
    nodes = cluster.database.ask("SELECT node, count(*) FROM runs WHERE author LIKE '%latform%' GROUP BY node")
    print(f"        runs of the schedule on each node: {sorted(int(count) for _, count in nodes)}", flush=True)
    require(len(nodes) > 1, f"more than one node did some: {nodes}")
    cluster.check()


def asked_everywhere(binary, folder):
    """All nodes are asked for a rotation of the same users at the same time: one key for each that is granted."""
    cluster = Cluster(binary, folder)
    users = cluster.users(4)
    with cluster.application(users[0]) as application:
        def ask(number):
            user, node = users[number % len(users)], cluster.nodes[number % len(cluster.nodes)]
            status, answer = cluster.at(node).call("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets")
            require(status == 200 or (status == 400 and "already in progress" in answer["message"]),
                    f"it is rotated, or somebody else is at it: {status} {answer}")
            return user if status == 200 else None

        for _ in range(2):
            for user in filter(None, at_once(ask, range(24))):
                cluster.wanted[user] += 1
    application.check()
    cluster.check()


def noticed_at_once(binary, folder):
    """What becomes due at a node that has no room is taken by another long before that one would look by itself."""
    seconds_max = 1.5
    cluster = Cluster(binary, folder, nodes=2, KEYWHEEL_DAY_LENGTH="2s")
    busy = cluster.node("busy", KEYWHEEL_DAY_LENGTH="2s", KEYWHEEL_ROTATIONS_MAX="1",
                        KEYWHEEL_CALL_TIMEOUT="30s", KEYWHEEL_LEASE="90s")
    cluster.nodes.append(busy)
    users = cluster.users(5)
    time.sleep(2)  # a day: from now on each is due once its interval is short
    # The only place of the node is taken by a first create, of which nothing is due.
    cluster.hold("long", "ListAccessKeys")
    busy.is_away = True
    asked = in_background(lambda: cluster.user("long", node=busy))
    until("the node is busy", lambda: busy.is_asking("ListAccessKeys") or None)
    waits = []
    for user in users:
        before = len(cluster.aws.calls())
        path = f"{ROTATIONS}/{cluster.rotations[user]}"
        begun = time.monotonic()
        cluster.at(busy).ok("PATCH", path, {"rotationInterval": 1})
        until(f"{user} is taken", lambda: first_call(cluster, user, before), POLL_SECONDS + 1)
        waits.append(time.monotonic() - begun)
        until("it is rotated", lambda: cluster.created(user) == 2 or None)
        until("it can be changed", lambda: patched(cluster, path, {"isAutoRotationEnabled": False}))
        cluster.wanted[user] = cluster.created(user)
    print(f"        taken after {', '.join(f'{wait:.2f} s' for wait in waits)}", flush=True)
    require(max(waits) < seconds_max, f"each is taken within {seconds_max} s: {waits}")
    cluster.release()
    asked.result()
    cluster.check()


def first_call(cluster, user, before):
    return True if any(entry["userName"] == user for entry in cluster.aws.calls()[before:]) else None


def patched(cluster, path, body):
    """While a rotation runs, a change of it is refused."""
    return True if cluster.api.call("PATCH", path, body)[0] == 200 else None


class Receiver(http.server.ThreadingHTTPServer):
    """Hears of deliveries: when each began and ended, and which it was."""

    # Slower than the changes come, so that deliveries wait for each other.
    SLOW_SECONDS = 0.1

    def __init__(self):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                begun = time.monotonic()
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(Receiver.SLOW_SECONDS)
                heard.append((self.headers["x-keywheel-delivery"], begun, time.monotonic()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


def told_once(binary, folder):
    """A webhook is told of each change once, in their order, and of one at a time, whichever nodes tell it."""
    cluster = Cluster(binary, folder)
    receiver = Receiver()
    cluster.api.ok("POST", "/api/v1/webhooks", {
        "projectId": cluster.api.project, "environment": "dev", "webhookUrl": receiver.url})

    # One after the other, so that they have an order, each at another node.
    for number in range(DELIVERIES):
        body = {"projectId": cluster.api.project, "environment": "dev", "secretPath": "/", "secretValue": "x"}
        cluster.api.ok("POST", f"/api/v4/secrets/SECRET_{number}", body)
    until("it has heard of all", lambda: len(receiver.heard) >= DELIVERIES or None, 40)
    until("nothing is left to tell", lambda: cluster.database.value(
        "SELECT count(*) FROM webhook_deliveries") == 0 or None)
    time.sleep(1)
    heard = list(receiver.heard)
    receiver.shutdown()
    require(len({name for name, _, _ in heard}) == len(heard) == DELIVERIES, f"each is told once: {len(heard)}")
    for (_, _, ended), (name, begun, _) in zip(heard, heard[1:]):
        require(begun >= ended, f"one at a time: {name} came {ended - begun:.3f} s before the end of the one before it")
    order = [int(name.rsplit("-", 1)[1]) for name, _, _ in heard]
    require(order == sorted(order), f"in their order: {order}")
    cluster.check()


STORIES = [
    ("many rotations due at once run once each, on all nodes", due_at_once),
    ("a rotation that all nodes are asked for runs once", asked_everywhere),
    ("new work is noticed at once by whoever has room", noticed_at_once),
    ("a webhook is told once, in order and of one at a time", told_once),
]
