# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of deploy/container, built and run by podman: how large they are, what they need, how they end; and the compose
file, brought up for the sweep of the quickstart and taken down again. tests/README.md says how to ask for them."""
import json
import os
import shutil
import time

import pytest

from conftest import ROOT, bare_system
from imagestore import CONTAINERFILE, DATABASE_ENTRY, DATABASE_IMAGE, Store, reason_to_skip
from localstack import wait_for

SERVICES = ("controller", "suggestion", "scheduler")
SIZE_MAX = {"controller": 60e6, "suggestion": 60e6, "scheduler": 60e6, "cli": 60e6, "agent": 25e6}
TITLES = {"cli": "besom"}  # others: besom-TARGET
SUITE = "bookworm"
RELEASES = ("bullseye", SUITE, "trixie")
BASE = "localhost/base:12"
DATABASE = "localhost/postgresql"
USER = 10001
SHELLS = ("dash", "bash")
STOP_MAX_S = 5

TRAINING = """\
FROM {base}
{install}
COPY --from=localhost/besom/agent /opt/besom /opt/besom
ENTRYPOINT ["/opt/besom/bin/besom-agent"]
"""
SKLEARN = "RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3-sklearn"
SWEEP = """\
method: grid
metric: {name: loss, goal: minimize}
parameters:
  x: {values: [1, 2, 3]}
command: [sh, -c, 'echo "loss=$1"', sh, '${args_no_hyphens}']
metrics_from: {source: stdout, pattern: '(loss)=x=([0-9]+)'}
"""
STUDY = {"method": "bayes", "metric": {"name": "loss", "goal": "minimize"},
         "parameters": {name: {"min": -2.0, "max": 2.0} for name in "abcdef"}}

pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))


@pytest.fixture(scope="module")
def store():
    with Store() as made:
        yield made


@pytest.fixture(scope="module")
def images(store):
    """Target → its image as podman describes it; beside them the build, and a base of Debian packages alone."""
    store.import_system(BASE, bare_system(f"{SUITE}-minbase", SUITE))
    for target in ("build", *SIZE_MAX):
        store.build(f"localhost/besom/{target}", "--file", CONTAINERFILE, "--build-arg", f"BASE={BASE}", "--target", target)
    return {target: store.image(f"localhost/besom/{target}") for target in SIZE_MAX}


@pytest.fixture(scope="module")
def database_image(store, images):
    store.build_text(DATABASE, DATABASE_IMAGE.format(base=BASE), entry=DATABASE_ENTRY)


def test_sizes(store, images, capsys):
    base = store.image(BASE)["Size"]
    sizes = {target: image["Size"] - base for target, image in images.items()}
    with capsys.disabled():
        print("\n| image | MB over its base | at most |\n|---|---|---|")
        for target, size in sizes.items():
            print(f"| `{target}` | {size / 1e6:.1f} | {SIZE_MAX[target] / 1e6:.0f} |")
    assert {target: size for target, size in sizes.items() if size > SIZE_MAX[target]} == {}


@pytest.mark.parametrize("target", SIZE_MAX)
def test_describes_itself(store, images, target):
    config = images[target]["Config"]
    assert config["User"] == f"{USER}:{USER}"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == TITLES.get(target, f"besom-{target}")
    assert labels["description"]
    assert labels["licenses"] == ("Apache-2.0" if target == "agent" else "GPL-3.0-or-later")
    printed = store.podman("run", "--rm", "--network", "none", "--read-only", "--entrypoint", config["Entrypoint"][0],
                           f"localhost/besom/{target}", "--version")
    assert printed.split()[-1] == labels["version"], printed
    if target in SERVICES:
        assert "--healthcheck" in json.dumps(images[target].get("HealthCheck") or images[target].get("Healthcheck"))


def study(points):
    """What is said to the optimiser, whose answers are not read in between: results that it did not ask for."""
    yield {"op": "init", "sweep_config": STUDY, "seed": 1}
    for i in range(points):
        params = {name: ((i * step) % 41) / 10.25 - 2 for name, step in zip("abcdef", (1, 7, 11, 13, 17, 29))}
        yield {"op": "observe", "params": params, "state": "finished", "value": sum(x * x + x for x in params.values())}
        yield {"op": "ask"}
    yield {"op": "quit"}


def test_trimmed_library_computes_the_same(store, images):
    """To the last bit what the distribution's whole library gives."""
    lines = "".join(json.dumps(line) + "\n" for line in study(30))
    common = ["run", "--rm", "--interactive", "--network", "none", "--entrypoint"]
    answers = store.podman(*common, "besom-suggestion", "localhost/besom/suggestion", "--stdio", input=lines)
    whole = store.podman(*common, "sh", "localhost/besom/build", "-c",
                         "LD_LIBRARY_PATH=$(echo /usr/lib/*/openblas-serial) exec /stage/usr/bin/besom-suggestion --stdio",
                         input=lines)
    assert answers.count('"params"') == 30 and answers.count('"phase":"model"') > 10, answers
    assert answers == whole


@pytest.fixture(scope="module")
def secrets(store):
    folder = os.path.join(store.scratch, "secret")
    for name in ("token", "service-token"):
        path = store.write(f"secret/{name}", os.urandom(32).hex(), 0o600)
        os.chown(path, USER, USER)
    return folder


@pytest.fixture(scope="module")
def database(store, database_image):
    """Reached by a socket in a volume, so that nothing here has a network."""
    store.podman("run", "--detach", "--name", "database", "--network", "none", "--volume", "database:/run/postgresql",
                 "--env", "POSTGRES_USER=besom", "--env", "POSTGRES_DB=besom", "--env", "POSTGRES_PASSWORD=secret", DATABASE)
    ready = ["podman", "exec", "database", "test", "-S", "/run/postgresql/.s.PGSQL.5432"]
    wait_for(lambda: store.call(*ready, check=False).returncode == 0, 60, "PostgreSQL listens")
    store.podman("run", "--rm", *confined(), "--entrypoint", '["besom-controller", "migrate"]', "localhost/besom/controller")
    yield "database"
    store.podman("rm", "--force", "--time", "5", "database")


def confined():
    """No network, nothing writable but the sockets' folder, no shell, no rights."""
    return ["--network", "none", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt",
            "no-new-privileges", *(f"--volume=/dev/null:/usr/bin/{shell}:ro" for shell in SHELLS), "--volume",
            "database:/database", "--env", "BESOM_DATABASE_URL=postgresql://besom:secret@/besom?host=/database"]


@pytest.mark.parametrize("service", SERVICES)
def test_service(store, secrets, database, service):
    """Healthy, unhealthy while the database is away, healthy again, and gone at SIGTERM."""
    options = ["--service-token-file", "/secret/service-token"]
    if service == "controller":
        options += ["--token-file", "/secret/token"]
    store.podman("run", "--detach", "--name", service, *confined(), "--volume", f"sockets-{service}:/run/besom", "--volume",
                 f"{secrets}:/secret:ro", f"localhost/besom/{service}", *options)
    try:
        wait_for(lambda: store.health(service) == (0, "healthy"), 60, f"healthy: {store.call('podman', 'logs', service).stderr}")
        process = store.container(service)["State"]["Pid"]
        with open(f"/proc/{process}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert status["Uid"].split() == [str(USER)] * 4 and int(status["CapEff"], 16) == 0
        assert store.call("podman", "exec", service, "sh", "-c", "true", check=False).returncode != 0
        store.podman("stop", "--time", "10", database)
        wait_for(lambda: store.health(service) == (1, "unhealthy"), 60, "unhealthy without its database")
        store.podman("start", database)
        wait_for(lambda: store.health(service) == (0, "healthy"), 60, "healthy again")
        assert store.container(service)["State"]["Pid"] == process
        start = time.monotonic()
        store.podman("kill", "--signal", "TERM", service)
        assert store.podman("wait", service) == "0"
        assert time.monotonic() - start < STOP_MAX_S
    finally:
        store.podman("rm", "--force", "--time", "5", service)


class Compose:
    """The compose file beside secrets of its own, as docs/containers.md says."""

    def __init__(self, store):
        self.store = store
        self.folder = os.path.join(store.scratch, "besom-compose")
        shutil.copytree(os.path.join(ROOT, "deploy", "container"), self.folder, ignore=shutil.ignore_patterns("secret"))
        store.call(os.path.join(self.folder, "secrets"))
        with open(os.path.join(self.folder, "secret", "token")) as file:
            self.token = file.read()

    def call(self, *arguments, **options):
        return self.store.call("podman-compose", "-f", os.path.join(self.folder, "compose.yaml"), *arguments, environment={
            "BESOM_POSTGRES_IMAGE": DATABASE, "BESOM_IMAGE_PREFIX": "localhost/besom"}, **options)

    def up(self):
        self.call("up", "-d")
        wait_for(lambda: self.besom("ls", check=False).returncode == 0, 120, "the controller is reached at its port")

    def client(self, address, network, image, *arguments, options=(), **more):
        return self.store.call("podman", "run", "--rm", "--network", network, "--env", f"BESOM_ADDRESS={address}", "--env",
                               "BESOM_INSECURE=1", "--env", "BESOM_TOKEN", *options, image, *arguments,
                               environment={"BESOM_TOKEN": self.token}, **more)

    def besom(self, *arguments, **options):
        return self.client("127.0.0.1:7070", "host", "localhost/besom/cli", *arguments,
                           options=["--volume", f"{ROOT}/examples/digits:/digits:ro", "--volume", f"{self.folder}:/mine:ro"],
                           **options)

    def json(self, *arguments):
        return json.loads(self.besom(*arguments, "--json").stdout)

    def sweeps(self):
        return sorted(sweep["sweep_id"] for sweep in self.json("ls")["sweeps"])

    def agent(self, image, *arguments):
        return self.client("controller:7070", "besom-compose_default", image, "--state-dir", "/tmp/state", "--run-dir",
                           "/tmp/runs", *arguments, options=["--volume", f"{ROOT}/examples/digits:/digits:ro", "--workdir",
                                                             "/digits"])

    def names(self, what):
        options = ["--all", "--format", "{{.Names}}"] if what == "container" else ["--format", "{{.Name}}"]
        return [name for name in self.store.podman(what, "ls", *options).splitlines() if name.startswith("besom-compose")]


@pytest.fixture(scope="module")
def compose(store, images, database_image):
    made = Compose(store)
    try:
        made.up()
        yield made
    finally:
        for name in made.names("container"):  # shown when a test failed
            print(name, store.call("podman", "logs", "--tail", "20", name, check=False).stderr)
        made.call("down", "-v", check=False)


def test_compose_runs_the_quickstart_sweep(store, compose):
    store.build_text(f"localhost/training:{SUITE}", TRAINING.format(base=BASE, install=SKLEARN))
    sweep = compose.json("sweep", "/digits/grid.yaml")["sweep_id"]
    compose.agent(f"localhost/training:{SUITE}", "--slots", "2", sweep)
    runs = compose.json("runs", sweep)["runs"]
    assert [run["state"] for run in runs] == ["finished"] * 12
    assert len({json.dumps(run["params"], sort_keys=True) for run in runs}) == 12
    assert max(run["objective"] for run in runs) > 0.9
    assert compose.json("status", sweep)["state"] == "finished"
    for service in SERVICES:
        assert store.health(f"besom-compose_{service}_1") == (0, "healthy")
    logs = "".join(store.call("podman", "logs", name).stderr for name in compose.names("container"))
    assert compose.token not in logs


@pytest.mark.parametrize("suite", RELEASES)
def test_agent_in_training_images(store, compose, suite):
    base = BASE
    if suite != SUITE:
        base = f"localhost/system:{suite}"
        store.import_system(base, bare_system(suite, suite, variant="essential"))
    image = f"localhost/training-bare:{suite}"
    store.build_text(image, TRAINING.format(base=base, install=""))
    with open(os.path.join(compose.folder, "sweep.yaml"), "w") as file:
        file.write(SWEEP)
    sweep = compose.json("sweep", "/mine/sweep.yaml")["sweep_id"]
    compose.agent(image, sweep)
    assert [(run["state"], run["objective"]) for run in compose.json("runs", sweep)["runs"]] == [
        ("finished", x) for x in (1, 2, 3)]


def test_compose_down_leaves_nothing(store, compose):
    """`down` keeps what is stored, `down -v` does not."""
    stored = compose.sweeps()
    assert stored
    compose.call("down")
    assert compose.names("container") == []
    assert "besom-compose_database" in compose.names("volume")
    compose.up()
    assert compose.sweeps() == stored
    compose.call("down", "-v")
    assert compose.names("container") == compose.names("volume") == []
    for network in compose.names("network"):  # podman-compose 1.0.3 leaves it
        store.podman("network", "rm", network)
