"""`keywheel run`: secrets as variables of a command, which is restarted when they change."""

import pathlib
import signal

from stage import Stage
from support import require, until

# Tells its key once it has started, goes on, and ends well when it is told to.
SERVICE = "trap 'echo ended; exit 0' TERM; echo started $app_ID; while :; do sleep 0.1; done"


def as_a_program(binary, folder):
    """Variables, exit code and signals are those of the command; Keywheel's own credentials are not passed on."""
    stage = Stage(binary, folder)
    job = stage.as_deployer(app_ID="stale", KEPT="kept", KEYWHEEL_ENVIRONMENT="dev")
    pair = stage.api.published()
    script = 'echo $app_ID $KEPT ${KEYWHEEL_CLIENT_SECRET-none}'
    shown = stage.good("run", "--", "sh", "-c", script, environment=job)
    require(shown == f"{pair['accessKeyId']} kept none\n", f"the secret wins, the rest stays: {shown}")
    require(stage.run("run", "--", "sh", "-c", "exit 7", environment=job)[0] == 7, "its exit code is this one's")
    require(stage.run("run", "--", "sh", "-c", "kill -9 $$", environment=job)[0] == 137, "a signal is 128 and more")
    require(stage.run("run", "--", "/no/such/program", environment=job)[0] == 127, "no such program is 127")

    for name in ("LD_PRELOAD", "KEYWHEEL_URL", "PS4"):
        stage.good("secrets", "set", name, stdin="evil", environment=job)
    script = 'echo ${LD_PRELOAD-none} ${KEYWHEEL_URL-none} ${KEYWHEEL_ENVIRONMENT-none} "$PS4"'
    _, shown, words = stage.run("run", "--allow-name", "PS4", "--", "sh", "-c", script, environment=job)
    require(shown == "none none none evil\n", f"a secret decides on no program unless that is allowed: {shown}")
    require("--allow-name LD_PRELOAD" in words and "--allow-name PS4" not in words, f"that is told: {words}")
    script = "echo $app_ID ${app_SECRET:+passed}"
    shown = stage.good("run", "--only", "app_SECRET", "--", "sh", "-c", script, environment=job)
    require(shown == "stale passed\n", f"of named secrets no other is passed on: {shown}")
    for name in ("LD_PRELOAD", "KEYWHEEL_URL", "PS4"):
        stage.good("secrets", "delete", name, "--yes", environment=job)

    program = stage.in_background("run", "--", "sh", "-c", SERVICE, environment=job)
    until("it has started", lambda: "started" in program.output() or None)
    words = pathlib.Path(f"/proc/{program.process.pid}/cmdline").read_text()
    require(pair["secretAccessKey"] not in words and stage.api.deployer["clientSecret"] not in words,
            f"no secret is an argument: {words}")
    program.process.send_signal(signal.SIGTERM)
    require(program.process.wait(20) == 0, "the signal reached the command, which ended well")
    require("ended" in program.output(), f"it was told: {program.output()}")


def watching(binary, folder):
    """A rotation restarts the command with the new pair; an outage does not stop it."""
    stage = Stage(binary, folder)
    job = stage.as_deployer(KEYWHEEL_ENVIRONMENT="dev")
    program = stage.in_background("run", "--watch", "--interval", "2", "--", "sh", "-c", SERVICE, environment=job)
    first = stage.api.published()["accessKeyId"]
    until("it starts with the pair", lambda: f"started {first}" in program.output() or None)
    stage.api.rotate(stage.rotation)
    second = stage.api.published()["accessKeyId"]
    until("it restarts with the new pair", lambda: f"started {second}" in program.output() or None)
    require(program.output().index("ended") < program.output().index(second), "the one before ended first")
    require("changed: app_ID, app_SECRET" in program.output(), f"names are told, not values: {program.output()}")

    stage.server.program.stop()
    until("an outage is told", lambda: "runs on with what it has" in program.output() or None)
    stage.server.restart()
    until("its end is told", lambda: "can be read again" in program.output() or None)
    require(program.output().count("\nstarted ") == 1, f"it ran on meanwhile: {program.output()}")
    stage.api.rotate(stage.rotation)
    third = stage.api.published()["accessKeyId"]
    until("changes count again", lambda: f"started {third}" in program.output() or None)
    program.process.send_signal(signal.SIGTERM)
    require(program.process.wait(20) == 0, "it ends with its command")


def watching_one_that_does_not_end(binary, folder):
    """Who does not end in time is killed; who only wants a signal keeps running."""
    stage = Stage(binary, folder)
    job = stage.as_deployer(KEYWHEEL_ENVIRONMENT="dev")
    # They end by themselves when the folder of the story goes: nobody else would end them then.
    for_long = f"while [ -d '{folder}' ]; do sleep 0.1; done"
    deaf = f"trap '' TERM; echo started $app_ID; {for_long}"
    program = stage.in_background("run", "--watch", "--interval", "2", "--grace", "1", "--", "sh", "-c", deaf,
                                  environment=job)
    until("it starts", lambda: "started" in program.output() or None)
    told = f"trap 'echo told' HUP; echo started; {for_long}"
    other = stage.in_background("run", "--watch", "--interval", "2", "--signal", "SIGHUP", "--", "sh", "-c", told,
                                environment=job)
    until("the other starts", lambda: "started" in other.output() or None)
    stage.api.rotate(stage.rotation)
    fresh = stage.api.published()["accessKeyId"]
    until("the deaf one is restarted", lambda: f"started {fresh}" in program.output() or None)
    require("is killed" in program.output(), f"that is told: {program.output()}")
    until("the other is told", lambda: "told" in other.output() or None)
    require(other.output().count("started") == 1 and "restarted" not in other.output(), "it runs on")


def watching_one_that_outlives_signals(binary, folder):
    """SIGHUP and SIGINT end no watching: who lives on is restarted by the next rotation."""
    stage = Stage(binary, folder)
    job = stage.as_deployer(KEYWHEEL_ENVIRONMENT="dev")
    tough = f"trap 'echo reloaded' HUP; trap 'echo broken off' INT; {SERVICE}"
    program = stage.in_background("run", "--watch", "--interval", "2", "--grace", "3", "--", "sh", "-c", tough,
                                  environment=job)
    until("it starts", lambda: "started" in program.output() or None)
    for number, (sent, shown) in enumerate([(signal.SIGHUP, "reloaded"), (signal.SIGINT, "broken off")], start=1):
        program.process.send_signal(sent)
        until(f"{sent.name} reaches it", lambda shown=shown: shown in program.output() or None)
        stage.api.rotate(stage.rotation)
        fresh = stage.api.published()["accessKeyId"]
        until("it is restarted", lambda fresh=fresh: f"started {fresh}" in program.output() or None)
        require(program.output().count("ended") == number, f"it ended by a restart only: {program.output()}")
    program.process.send_signal(signal.SIGTERM)
    require(program.process.wait(20) == 0, "its end is final when it is told to end")


STORIES = [
    ("a command with secrets", as_a_program),
    ("a command is restarted on a rotation", watching),
    ("commands that do not end, and that want a signal", watching_one_that_does_not_end),
    ("a command that outlives signals is still restarted", watching_one_that_outlives_signals),
]
