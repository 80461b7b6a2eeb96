"""The files of deploy/: whether the programs they are for take them, and whether they fit the server and each other."""

import json
import os
import pathlib
import re
import subprocess
import tomllib

import kubernetes_validate
import yaml
from support import require

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# The oldest version of Kubernetes that is supported somewhere at a large provider.
KUBERNETES_OLDEST = "1.31"
# What `systemd-analyze security` may say at most, times ten: 0 is a service that can do nothing, 100 one that can do all.
EXPOSURE_MAX = 15
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}

DEFAULTS = tomllib.loads((ROOT / "config.default.toml").read_text())
UNIT = (DEPLOY / "keywheel.service").read_text()
BALANCER = (DEPLOY / "haproxy.cfg").read_text()
CONTAINER = (DEPLOY / "Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text).groups()
    return int(number) * SECONDS[unit]


def found(pattern, text):
    """The only thing that a pattern finds in a text."""
    matches = re.findall(pattern, text, re.MULTILINE)
    require(len(matches) == 1, f"{pattern} is there once, not {len(matches)} times")
    return matches[0]


def of_kind(kind):
    return next(item for item in OBJECTS if item["kind"] == kind)


def pod():
    return of_kind("Deployment")["spec"]["template"]["spec"]


def nodes():
    """The settings and the time to end that each way to deploy gives to a node."""
    unit = dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT, re.MULTILINE))
    yield "keywheel.service", unit, seconds(found(r"^TimeoutStopSec=(.*)$", UNIT))
    for name in ("node1", "node2"):
        node = COMPOSE["services"][name]
        yield f"compose.yaml, {name}", node["environment"], seconds(node["stop_grace_period"])
    container = pod()["containers"][0]
    environment = {entry["name"]: entry.get("value", "") for entry in container["env"]}
    yield "kubernetes.yaml", environment, pod()["terminationGracePeriodSeconds"]


# --- programs ------------------------------------------------------------------------------------------------------


def run(*arguments, environment=None):
    environment = os.environ | (environment or {})
    result = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    said = result.stdout + result.stderr
    require(result.returncode == 0, f"{arguments[0]} takes it:\n{said}")
    return said


def systemd_takes_the_unit(binary, folder):
    # The program is not installed here; all else is as it is.
    unit = folder / "keywheel.service"
    unit.write_text(UNIT.replace("/usr/local/bin/keywheel", binary))
    said = run("systemd-analyze", "verify", "--man=no", str(unit))
    require("keywheel.service" not in said, f"systemd has nothing to say about it: {said}")
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(unit))


def haproxy_takes_its_configuration(_binary, _folder):
    # Once with the names of compose.yaml, which lead nowhere here, and once with addresses.
    run("haproxy", "-c", "-f", str(DEPLOY / "haproxy.cfg"))
    given = {"LISTEN": "127.0.0.1:8080", "NODE_1": "127.0.0.1:8081", "NODE_2": "127.0.0.1:8082"}
    said = run("haproxy", "-c", "-f", str(DEPLOY / "haproxy.cfg"), environment=given)
    require("WARNING" not in said, f"HAProxy has nothing to say about it: {said}")


def kubernetes_objects_keep_to_its_schemas(_binary, _folder):
    newest = kubernetes_validate.latest_version()
    for version in (KUBERNETES_OLDEST, newest):
        for item in OBJECTS:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except kubernetes_validate.ValidationError as fault:
                require(False, f"{item['kind']} is one of Kubernetes {version}: {fault.message}")


# --- the server ----------------------------------------------------------------------------------------------------


def every_variable_is_a_setting(_binary, _folder):
    known = {f"KEYWHEEL_{name.upper()}" for name in DEFAULTS} | {"KEYWHEEL_CONFIG"}
    for path in sorted(path for path in DEPLOY.rglob("*") if path.is_file()):
        for name in re.findall(r"\bKEYWHEEL_[A-Z_]+", path.read_text()):
            # A comment of kubernetes.yaml tells what Kubernetes would add by itself.
            require(name in known or name == "KEYWHEEL_SERVICE_HOST", f"{name} in {path.name} is a setting")


def probes_ask_what_the_server_answers(_binary, _folder):
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    probes = {probe: pod()["containers"][0][probe]["httpGet"] for probe in
              ("startupProbe", "readinessProbe", "livenessProbe")}
    asked = [probe["path"] for probe in probes.values()] + [found(r"option httpchk GET (\S+)", BALANCER)]
    for path in asked:
        require("get" in paths.get(path, {}), f"{path} is a path of the server")
    require(probes["readinessProbe"]["path"] == asked[-1] == "/readyz", "requests go to nodes that are ready")
    require(probes["livenessProbe"]["path"] == "/healthz", "a lost database restarts no node")


def ports_agree(_binary, _folder):
    listens = found(r"KEYWHEEL_LISTEN=\S+:(\d+)", CONTAINER)
    require(found(r"^EXPOSE (\d+)$", CONTAINER) == listens, "the image exposes the port of the server")
    for node in ("node1", "node2"):
        require(f"-{node}:{listens}}}" in BALANCER, f"HAProxy reaches {node} at the port of the image")
        require(node in COMPOSE["services"], f"{node} is a service of compose.yaml")
    front = found(r"\$\{LISTEN-:(\d+)\}", BALANCER)
    require(COMPOSE["services"]["balancer"]["ports"] == [f"127.0.0.1:{front}:{front}"],
            "compose.yaml publishes the port of HAProxy, on this machine only")
    container = pod()["containers"][0]
    require(container["ports"] == [{"name": "http", "containerPort": int(listens)}], "so does the pod")
    require(of_kind("Service")["spec"]["ports"][0]["targetPort"] == "http", "the service leads to that port")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        require(container[probe]["httpGet"]["port"] == "http", f"the {probe} asks at that port")


def labels_agree(_binary, _folder):
    wanted = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [of_kind("Deployment")["spec"]["selector"]["matchLabels"], of_kind("Service")["spec"]["selector"],
                 of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    require(all(selector == wanted for selector in selectors), f"every selector finds {wanted}: {selectors}")


def nobody_is_killed_while_it_drains(_binary, _folder):
    for place, environment, grace in nodes():
        value = {name: seconds(environment.get(f"KEYWHEEL_{name.upper()}", DEFAULTS[name]))
                 for name in ("drain_delay", "drain_timeout", "call_timeout")}
        # After the requests, runs end at their next step: that may be a call to AWS.
        needed = sum(value.values())
        require(value["drain_delay"] > 0, f"{place} leaves time to be passed over")
        require(grace > needed, f"{place} gives more than the {needed} s that stopping may take: {grace} s")


def the_balancer_sees_a_node_go_in_time(_binary, _folder):
    times = {name: seconds(found(rf"\b{name} (\d+m?s)\b", BALANCER)) for name in
             ("inter", "fastinter", "timeout check", "timeout server")}
    falls = int(found(r"\bfall (\d+)\b", BALANCER))
    longest = times["inter"] + (falls - 1) * times["fastinter"] + times["timeout check"]
    for place, environment, _ in nodes():
        delay = seconds(environment["KEYWHEEL_DRAIN_DELAY"])
        require(delay > longest, f"{place} says for longer than {longest} s that it stops: {delay} s")
    require(times["timeout server"] > seconds(DEFAULTS["request_timeout"]), "it waits for a rotation by hand")


def images_are_pinned_by_version(_binary, _folder):
    images = re.findall(r"^FROM (\S+)", CONTAINER, re.MULTILINE)
    images += [service["image"] for service in COMPOSE["services"].values()]
    images += [container["image"] for container in pod()["containers"]]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for image in images:
        name, _, tag = image.rpartition("/")[2].partition(":")
        require(tag not in ("", "latest") and re.search(r"\d", name + tag), f"{image} names a version")
        if name == "keywheel":
            require(tag == version, f"{image} is version {version}")
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    require(f"/rust:{rust}-" in images[0], f"{images[0]} is Rust {rust}")


def no_node_may_do_more_than_it_needs(_binary, _folder):
    container, user = pod()["containers"][0]["securityContext"], found(r"^USER (\d+):\d+$", CONTAINER)
    require(int(user) != 0 and pod()["securityContext"]["runAsUser"] == int(user), "it runs as the user of the image")
    require(pod()["securityContext"]["runAsNonRoot"], "which is not root")
    require(container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                          "capabilities": {"drop": ["ALL"]}}, "it can change nothing of its machine")
    for name in ("node1", "node2", "balancer"):
        service = COMPOSE["services"][name]
        require(service["read_only"] and service["cap_drop"] == ["ALL"], f"nor can {name} of compose.yaml")


STORIES = [
    ("systemd takes the unit", systemd_takes_the_unit),
    ("HAProxy takes its configuration", haproxy_takes_its_configuration),
    ("Kubernetes objects keep to its schemas", kubernetes_objects_keep_to_its_schemas),
    ("every variable is a setting", every_variable_is_a_setting),
    ("probes ask what the server answers", probes_ask_what_the_server_answers),
    ("ports agree", ports_agree),
    ("labels agree", labels_agree),
    ("nobody is killed while it drains", nobody_is_killed_while_it_drains),
    ("the balancer sees a node go in time", the_balancer_sees_a_node_go_in_time),
    ("images are pinned by version", images_are_pinned_by_version),
    ("no node may do more than it needs", no_node_may_do_more_than_it_needs),
]
