"""A node dies, sleeps, or is cut off in the middle of its work: the others take it over, and it does no harm."""

import contextlib
import random
import secrets
import time

from cluster import LEASE_SECONDS, POLL_SECONDS, TAKEN_OVER_SECONDS_MAX, Cluster, at_once, in_background
from support import ROTATIONS, Broken, require, until

# In the middle of a rotation: at each of these calls one user waits.
HELD = [
    ("GetUser", "holdRequest"),
    ("ListAccessKeys", "holdRequest"),
    ("UpdateAccessKey", "holdAnswer"),
    ("DeleteAccessKey", "holdRequest"),
    ("CreateAccessKey", "holdRequest"),
]
# So that rotations that are asked for together are at different steps.
STAGGER_SECONDS = 0.1
# While a node sleeps with the database's locks in its hands, the others are not held up longer than this.
UNBLOCKED_SECONDS_MAX = 10
# What a load balancer waits until it is told that a node is cut off from the database.
UNREADY_SECONDS_MAX = 5
# And that it is back.
READY_SECONDS_MAX = 5


def in_the_middle(binary, folder):
    """A cluster whose nodes are in the middle of rotations, and the node that has most of them."""
    cluster = Cluster(binary, folder)
    users = cluster.users(len(HELD), keys=2)
    for user, (action, kind) in zip(users, HELD, strict=True):
        cluster.hold(user, action, kind)
    cluster.make_due(users)

    def busiest():
        node = max(cluster.nodes, key=lambda node: len(node.to_aws.unanswered))
        return node if len(node.to_aws.unanswered) > 1 else None

    victim = until("a node is in the middle of several rotations", busiest, POLL_SECONDS * 2)
    print(f"        {victim.name} has {victim.to_aws.unanswered}", flush=True)
    return cluster, users, victim


def taken_over(cluster, users):
    """The others finish it in time."""
    begun = time.monotonic()
    cluster.release()
    cluster.until_done("what it was at is taken over", users, TAKEN_OVER_SECONDS_MAX)
    took = time.monotonic() - begun
    print(f"        taken over after {took:.1f} s of at most {TAKEN_OVER_SECONDS_MAX:.0f} s", flush=True)


def works_again(cluster, users, node):
    """It is there, has done nothing twice, and rotates."""
    until(f"{node.name} is ready", lambda: node.is_ready() or None, READY_SECONDS_MAX)
    cluster.check()
    at_once(lambda user: cluster.rotate(user, node), users)
    cluster.check()


def killed(binary, folder):
    cluster, users, victim = in_the_middle(binary, folder)
    with contextlib.ExitStack() as stack:
        applications = [stack.enter_context(cluster.application(user)) for user in users]
        victim.kill()
        taken_over(cluster, users)
        victim.start()
        victim.is_away = False
    for application in applications:
        application.check()
    works_again(cluster, users, victim)


def suspended(binary, folder):
    cluster, users, victim = in_the_middle(binary, folder)
    with contextlib.ExitStack() as stack:
        applications = [stack.enter_context(cluster.application(user)) for user in users]
        victim.suspend()
        begun = time.monotonic()
        taken_over(cluster, users)
        # Longer than the lease in any case.
        time.sleep(max(0, LEASE_SECONDS + 1 - (time.monotonic() - begun)))
        victim.resume()
        time.sleep(2)
    for application in applications:
        application.check()
    works_again(cluster, users, victim)


def suspended_before_hearing(binary, folder):
    """A node falls asleep after the database did what it was told and before it hears of it: between an intent and its
    call, too. What the others did meanwhile it does not do again."""
    cluster = Cluster(binary, folder)
    users = cluster.users(12, keys=2)
    victim = cluster.nodes[0]
    with cluster.application(users[0]) as application:
        asked = []
        for user in users:
            path = f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets"
            asked.append(in_background(lambda path=path: cluster.at(victim).call("POST", path)))
            time.sleep(STAGGER_SECONDS)
        victim.to_database.hold_answers()
        # By then no call to AWS is under way: each waits for the database.
        until("it waits for the database only", lambda: not victim.is_asking() or None)
        time.sleep(STAGGER_SECONDS)
        victim.suspend()
        time.sleep(TAKEN_OVER_SECONDS_MAX)
        victim.to_database.heal()
        victim.resume()
        answers = [answer.result() for answer in asked]
    application.check()
    lost = dict.fromkeys(users, 0)

    def at_rest():
        # A key that AWS had made when the node fell asleep, and of which the database had not heard.
        for user in users:
            if found := cluster.remove_lost(user):
                lost[user] += found
                # Nobody repeats what was asked for by hand and failed, but who asked for it.
                cluster.at(cluster.nodes[1]).call("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets")
        return True if cluster.is_at_rest() else None

    try:
        until("all are at rest", at_rest, TAKEN_OVER_SECONDS_MAX)
    except Broken as promise:
        raise Broken(f"{promise}: {cluster.restless()}, {lost}") from None
    for user, (status, answer) in zip(users, answers, strict=True):
        require(status in (200, 503), f"it says that it did it, or that it does not know: {status} {answer}")
        made = cluster.created(user) - cluster.wanted[user] - lost[user]
        require(made == 1 or (made == 0 and status == 503), f"{user} is rotated once: {status}, {made}")
        require(lost[user] <= 1 - (status == 200), f"at most one key is lost, and none that was told of: {lost[user]}")
        cluster.wanted[user] += made + lost[user]
    print(f"        {sorted(status for status, _ in answers)}, {sum(lost.values())} keys lost", flush=True)
    works_again(cluster, users, victim)


def cut_off(binary, folder):
    cluster, users, victim = in_the_middle(binary, folder)
    with contextlib.ExitStack() as stack:
        applications = [stack.enter_context(cluster.application(user)) for user in users]
        victim.is_away = True
        victim.to_database.hang()
        begun = time.monotonic()
        until("its load balancer is told", lambda: victim.status("/readyz", UNREADY_SECONDS_MAX) == 503 or None,
              UNREADY_SECONDS_MAX)
        print(f"        not ready after {time.monotonic() - begun:.1f} s", flush=True)
        require(victim.status("/healthz") == 200, "it is alive")
        taken_over(cluster, users)
        time.sleep(max(0, LEASE_SECONDS + 1 - (time.monotonic() - begun)))
        victim.to_database.heal()
        until("it is ready again", lambda: victim.is_ready() or None, READY_SECONDS_MAX)
        victim.is_away = False
    for application in applications:
        application.check()
    works_again(cluster, users, victim)


def suspended_in_a_transaction(binary, folder):
    """A node sleeps while the database waits for its commit, with locks: nobody else waits long for it."""
    cluster = Cluster(binary, folder)
    user, other = cluster.users(2, keys=2)
    victim, awake, third = cluster.nodes
    seed = secrets.token_hex(4)
    dice = random.Random(seed)
    body = {"projectId": cluster.api.project, "environment": "dev", "secretPath": "/", "secretValue": "x"}
    rotation = ("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets", None)
    # A write, and a rotation at one of its commits.
    asleep_at = [(1, ("POST", "/api/v4/secrets/ASLEEP", body)), (dice.randint(2, 8), rotation)]
    print(f"        seed {seed}: commits {[number for number, _ in asleep_at]}", flush=True)
    for turn, (number, request) in enumerate(asleep_at):
        with cluster.application(user) as application:
            victim.to_database.strike("commit", number, "hold")
            asked = in_background(lambda: cluster.at(victim).call(*request))
            require(victim.to_database.struck.wait(POLL_SECONDS), f"its commit {number} is held")
            victim.suspend()
            not_held_up(cluster, awake, third, other, turn)
            time.sleep(LEASE_SECONDS)
            victim.resume()
            victim.to_database.spare()
            status, answer = asked.result()
        application.check()
        require(status in (200, 503), f"it says that it did it, or that it does not know: {status} {answer}")
        cluster.until_at_rest()
        if request is rotation:
            made = cluster.created(user) - cluster.wanted[user]
            require(made == 1 or (made == 0 and status == 503), f"what it was asked for was done once: {made}")
            cluster.wanted[user] += made
        elif status == 200:
            require(cluster.at(third).secret("ASLEEP")["secretValue"] == "x", "what it says is written is there")
    works_again(cluster, [user, other], victim)


def not_held_up(cluster, one, another, user, turn):
    """Logins, writes, reads and rotations at the nodes that are awake."""
    body = {"projectId": cluster.api.project, "environment": "dev", "secretPath": "/", "secretValue": "x"}
    deeds = {
        "a login": lambda: cluster.at(one).identity(f"awake-{turn}"),
        "a write": lambda: cluster.at(another).ok("POST", f"/api/v4/secrets/AWAKE_{turn}", body),
        "a read": lambda: cluster.at(one).secret(f"{user}_ID"),
        "a rotation": lambda: cluster.rotate(user, another),
    }

    def time_of(name):
        begun = time.monotonic()
        deeds[name]()
        return name, time.monotonic() - begun

    for name, took in at_once(time_of, deeds):
        in_time = f"within {UNBLOCKED_SECONDS_MAX} s: {took:.1f} s"
        require(took < UNBLOCKED_SECONDS_MAX, f"{name} at another node is done {in_time}")


def without_aws(binary, folder):
    """A node that AWS cannot be reached from holds up no rotation; lost answers are resolved, by whichever node."""
    cluster = Cluster(binary, folder)
    users = cluster.users(9, keys=2)
    victim = cluster.nodes[0]
    with contextlib.ExitStack() as stack:
        applications = [stack.enter_context(cluster.application(user)) for user in users[:3]]
        victim.to_aws.refuse()
        cluster.make_due(users)
        cluster.until_done("the others rotate", users, POLL_SECONDS + 20)
        require(not victim.to_aws.unanswered, "the node has no call under way")
        victim.to_aws.heal()
        # AWS does it, and the node does not hear of it.
        for user, call in zip(users, ("UpdateAccessKey", "DeleteAccessKey", "ListAccessKeys", "verify")):
            victim.to_aws.lose(call, "closed", 1)
            cluster.at(victim).call("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets")
            until(f"it is rotated after a lost answer of {call}", lambda: rotated_anywhere(cluster, user))
            cluster.wanted[user] += 1
            require(victim.to_aws.lost == 1 or call == "ListAccessKeys", "an answer was lost")
        lost_create(cluster, users[8], victim)
    for application in applications:
        application.check()
    works_again(cluster, users, victim)


def rotated_anywhere(cluster, user):
    """Asks some node again, if the one that lost the answer gave up."""
    if cluster.created(user) > cluster.wanted[user]:
        return True if cluster.is_at_rest() else None
    cluster.api.call("POST", f"{ROTATIONS}/{cluster.rotations[user]}/rotate-secrets")
    return None


def lost_create(cluster, user, victim):
    """The secret is lost for good: the key is named, nothing more is made, and its owner removes it."""
    path = f"{ROTATIONS}/{cluster.rotations[user]}"
    victim.to_aws.lose("CreateAccessKey", "closed", 1)
    status, _ = cluster.at(victim).call("POST", f"{path}/rotate-secrets")
    require(status != 200, "no rotation goes through without the secret")
    until("the lost key is in the ledger", lambda: cluster.remove_lost(user) or None)
    require(cluster.created(user) == cluster.wanted[user] + 1, "nobody made another one meanwhile")
    cluster.wanted[user] += 1
    until("after that it rotates", lambda: rotated_anywhere(cluster, user))
    cluster.wanted[user] += 1


STORIES = [
    ("a node is killed in the middle of rotations", killed),
    ("a node sleeps longer than its lease in the middle of rotations", suspended),
    ("a node sleeps before it hears what the database did", suspended_before_hearing),
    ("a node sleeps with locks of the database in its hands", suspended_in_a_transaction),
    ("a node is cut off from the database longer than its lease", cut_off),
    ("a node is cut off from AWS", without_aws),
]
