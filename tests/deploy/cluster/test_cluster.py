# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart on a real API server and node: installed, used, hurt, upgraded in the middle of a sweep, and gone again.

Only with BESOM_CLUSTER=1; README.md says what it needs and how long it takes. BESOM_TEST_KEEP=1 leaves the cluster running.
"""
import json
import os
import re
import shutil
import sys
import tempfile
import time

import pytest
import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "faults"))

import harness  # noqa: E402
import images  # noqa: E402
import kube  # noqa: E402
import point  # noqa: E402
from conftest import ROOT, run  # noqa: E402
from kube import is_ready, wait_for  # noqa: E402
from test_helm import CHART, VARIANTS, manifests, tools  # noqa: E402,F401

NEEDED = ("go", "rsync", "make", "cc", "etcd", "containerd", "ctr", "runc", "conntrack", "iptables", "dnsmasq", "podman", "nsenter",
          "unshare", "npm", "curl", "openssl", "mmdebstrap")
TRAINING = f"{images.PREFIX}/training:new"
POINTS, HELD_FROM = 60, 45
NAME, NAMESPACE = "besom", "sweeps"
OTHERS = ("gateway.networking.k8s.io", "cert-manager.io", "monitoring.coreos.com", "postgresql.cnpg.io")  # nobody serves them here
SERVICES = ("controller", "suggestion", "scheduler")
# What the chart is told here: images of this tree, a class for the volume, and that a dead agent is missed soon.
VALUES = {
    "image": {"prefix": images.PREFIX, "tag": "old"},
    "database": {"bundled": {"image": f"{images.PREFIX}/database:new", "storage": "1Gi", "storageClassName": "folder"}},
    "controller": {"extraArgs": ["--lease-time=6s", "--renew-time=2s", "--lost-after=15s"]},
}
SWEEP = """
program: /training/held.py
command: [python3, -B, "${program}", "${args}"]
method: grid
metric: {name: value, goal: maximize}
parameters:
  point: {values: %s}
  seconds: {value: %s}
"""


def missing():
    if os.environ.get("BESOM_CLUSTER") != "1":
        return "opt-in: BESOM_CLUSTER=1 (tests/deploy/cluster/README.md)"
    if os.geteuid() != 0:
        return "needs root"
    path = f"{os.environ['PATH']}:/usr/lib/go-1.19/bin:/usr/sbin"
    absent = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if not os.path.exists("/usr/lib/cni/bridge"):
        absent.append("/usr/lib/cni/bridge (containernetworking-plugins)")
    return f"not found: {', '.join(absent)}" if absent else None


reason = missing()
pytestmark = pytest.mark.skipif(reason is not None, reason=str(reason))


@pytest.fixture(scope="module")
def cluster(tools):  # noqa: F811
    """A cluster that has the images, and nothing else that was asked for."""
    cache = images.default_cache()
    run(os.path.join(kube.HERE, "build"), cache, timeout=3600)
    folder = tempfile.mkdtemp(prefix="besom-cluster-")
    programs = os.path.join(cache, "bin")
    pause, archive = os.path.join(folder, "pause-image.tar"), os.path.join(folder, "images.tar")
    one = kube.Cluster(folder, tools, programs, pause)
    try:
        with images.store() as store:
            images.make(store, archive)
            images.make_pause(store, programs, pause)
        one.__enter__()
        one.ctr("images", "import", archive)
        os.remove(archive)
        one.apply({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "folder"},
                   "provisioner": "besom.test/folder"})
        yield one
    finally:
        if os.environ.get("BESOM_TEST_KEEP"):
            print(f"kept: {folder} ({kube.HERE}/down {folder} ends it)")
        else:
            one.close()


@pytest.fixture(scope="module")
def release(cluster):
    """The chart as installed, the objects that were there before, and the time it took."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.wait_for_account(NAMESPACE)  # by then the namespace has all that it always has
    one = kube.Release(cluster, NAME, NAMESPACE)
    one.before = cluster.objects()
    begin = time.monotonic()
    one.change("install", VALUES)
    one.seconds = time.monotonic() - begin
    return one


def readiness(release):
    return {component: [is_ready(pod) for pod in release.pods(component)] for component in (*SERVICES, "database")}


def test_every_variant_is_accepted(cluster):
    """By the API server itself: what the types cannot see (ranges, names, combinations) and the versions of its age."""
    seen = set()
    for values in VARIANTS.values():
        text = cluster.helm("template", NAME, CHART, "--kube-version", cluster.version(), "--namespace", "default",
                            *(["--set", values] if values else []))
        known = [one for one in manifests(text) if one["apiVersion"].partition("/")[0] not in OTHERS]
        cluster.apply({"apiVersion": "v1", "kind": "List", "items": known}, "--dry-run=server", "--namespace", "default")
        seen.update(one["kind"] for one in known)
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Ingress", "Job", "StatefulSet"} <= seen


def test_lint_is_strict(cluster):
    cluster.helm("lint", "--strict", CHART)


def test_all_becomes_ready(release):
    """`helm install --wait` came back; every pod says so itself, and the schema's Job is done."""
    print(f"Kubernetes {release.cluster.version()}: installed and ready in {release.seconds:.0f} s")
    assert readiness(release) == {"controller": [True] * 2, "suggestion": [True] * 2, "scheduler": [True] * 2, "database": [True]}
    jobs = release.get("jobs")["items"]
    assert [job["status"].get("succeeded") for job in jobs] == [1]
    claims = release.get("persistentvolumeclaims")["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"]
    for pod in (pod for component in SERVICES for pod in release.pods(component)):
        assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0], pod["metadata"]["name"]


def test_helm_test(release):
    told = release.cluster.helm("test", NAME, "--namespace", NAMESPACE, "--timeout", "3m")
    assert "Phase:          Succeeded" in told, told


def test_notes_lead_in(release):
    """The commands that the installation prints, in a shell; port-forward and certificate as for anybody's machine."""
    notes = release.cluster.helm("get", "notes", NAME, "--namespace", NAMESPACE)
    lines = [line.strip() for line in notes.splitlines() if line.startswith("  ")]
    assert lines[0].startswith("kubectl") and lines[-1] == "besom ls", notes
    lines.insert(1, "for i in $(seq 100); do curl -sk https://localhost:7070 >/dev/null && break; sleep 0.2; done")
    folder = tempfile.mkdtemp(dir=release.cluster.folder)
    lines[-1] += " --json"
    script = "trap 'kill %1' EXIT\n" + f"cd {folder}\n" + "\n".join(lines)
    done = release.cluster.run("bash", "-e", "-c", script, environment={"PATH": f"{bin_folder()}:{release.cluster.environment['PATH']}"})
    assert json.loads(done.stdout[done.stdout.index("{"):])["sweeps"] == [], done.stdout


def bin_folder():
    return os.environ.get("BESOM_BIN", os.path.join(ROOT, "build", "dev", "bin"))


class Sweep:
    """One sweep, its agents' journal, and the question harness.py asks."""

    def __init__(self, release, points, seconds):
        self.release, self.points = release, points
        self.journal = tempfile.mkdtemp(prefix="journal-", dir=release.cluster.folder)
        os.chmod(self.journal, 0o777)
        path = os.path.join(self.journal, "sweep.yaml")
        with open(path, "w") as file:
            file.write(SWEEP % (list(range(points)), seconds))
        self.id = self.query("sweep", path)["sweep_id"]

    def open_gate(self):
        with open(os.path.join(self.journal, "go"), "w"):
            pass

    def query(self, *arguments):
        """A command, again while the controller that has it is going."""
        deadline = time.monotonic() + 60
        while True:
            done = self.release.besom(os.path.join(bin_folder(), "besom"), *arguments, "--json", check=False)
            if done.returncode == 0:
                return json.loads(done.stdout)
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.5)

    def counts(self):
        return self.query("status", self.id)["counts"]

    def wait_for_finished(self, least, seconds=300):
        wait_for(lambda: self.counts().get("finished", 0) >= least, seconds, lambda: f"{least} runs finished: {self.counts()}")


def with_journal(sweep):
    """What a container needs to note what it does where the test finds it."""
    journal = os.path.join("/mnt", os.path.basename(sweep.journal))  # the cluster's folder is /mnt for the node
    return {"env": [{"name": "FAULTS_JOURNAL", "value": f"{journal}/lines"}, {"name": "HELD_FROM", "value": str(HELD_FROM)},
                    {"name": "HELD_UNTIL", "value": f"{journal}/go"}],
            "volumes": [{"name": "journal", "hostPath": {"path": journal, "type": "Directory"}}],
            "volumeMounts": [{"name": "journal", "mountPath": journal}]}


def agent_values(sweep, tag, **more):
    """The chart's values with agents of this sweep in a plain training image."""
    return dict(VALUES, image={"prefix": images.PREFIX, "tag": tag}, agents=[dict(
        with_journal(sweep), name="many", sweep=sweep.id, image=TRAINING, tokenSecret="agent-token", **more)])


def make_agent_token(release):
    token = release.besom(os.path.join(bin_folder(), "besom"), "token", "create", "--role", "agent", "--name", "pods").stdout.strip()
    release.cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", "agent-token", f"--from-literal=token={token}")


def names(release, component):
    return {pod["metadata"]["name"] for pod in release.pods(component) if is_ready(pod)}


def delete_by_force(release, sweep, component):
    """A pod with all its processes; another takes its place, and the sweep goes on."""
    finished, before = sweep.counts().get("finished", 0), names(release, component)
    victim = release.pods(component)[0]
    release.kill(victim)
    wait_for(lambda: len(names(release, component) - {victim["metadata"]["name"]}) == len(before), 180,
             lambda: f"another pod for {victim['metadata']['name']}: {names(release, component)}")
    sweep.wait_for_finished(min(finished + 3, HELD_FROM))


def images_of(release):
    """Component → tags that its pods run."""
    return {component: {pod["spec"].get("initContainers", pod["spec"]["containers"])[0]["image"].rpartition(":")[2]
                        for pod in release.pods(component) if "deletionTimestamp" not in pod["metadata"]}
            for component in (*SERVICES, "agent")}


def check_end(sweep):
    """All points, each once, by the journal of the runs and by what is stored; all metrics of each."""
    attempts = harness.read_journal(os.path.join(sweep.journal, "lines"))
    harness.check_journal(attempts, sweep.points)
    status = sweep.query("status", sweep.id)
    assert status["state"] == "finished" and status["counts"]["finished"] == sweep.points, status
    runs = sweep.query("runs", sweep.id)["runs"]
    assert sorted(run["params"]["point"] for run in runs) == list(range(sweep.points))
    for one in runs:
        stored = sweep.query("metrics", one["run_id"], "--attempt", str(one["attempt"]))
        series = {metric["name"]: metric for metric in stored["series"]}
        assert series["value"]["values"] == [float(n) for n in range(point.VALUES)], one
        assert series["value"]["steps"] == list(range(point.VALUES)), one
    return attempts


def test_sweep_survives_deletions_and_upgrade(release):
    """The last points wait for the end of the upgrade, so that it is in the middle however slow it is."""
    make_agent_token(release)
    sweep = Sweep(release, POINTS, 2)
    before = [names(release, component) for component in SERVICES]
    release.change("upgrade", agent_values(sweep, "old", replicas=3))
    assert [names(release, component) for component in SERVICES] == before, "agents were added, and services began anew"
    assert len(names(release, "agent")) == 3
    begin = time.monotonic()
    sweep.wait_for_finished(6)
    delete_by_force(release, sweep, "controller")
    delete_by_force(release, sweep, "agent")
    assert sweep.query("status", sweep.id)["state"] == "running"
    release.change("upgrade", agent_values(sweep, "new", replicas=3))
    wait_for(lambda: images_of(release) == {component: {"new"} for component in (*SERVICES, "agent")}, 300,
             lambda: f"only pods of the new revision: {images_of(release)}")
    assert sweep.query("status", sweep.id)["state"] == "running", "the sweep was over before the upgrade"
    sweep.open_gate()
    wait_for(lambda: sweep.query("status", sweep.id)["state"] == "finished", 300, lambda: sweep.counts())
    attempts = check_end(sweep)
    again = sum(number > 1 for _, number in attempts)
    print(f"{POINTS} points, each once; {again} runs began again; {time.monotonic() - begin:.0f} s")
    assert again > 0, "nobody noticed a thing"
    release.cluster.helm("test", NAME, "--namespace", NAMESPACE, "--timeout", "3m")


def test_job_ends_with_its_sweep(release):
    """`kind: Job`: the pods leave when nothing is left to do, and what they were is complete."""
    sweep = Sweep(release, 6, 0)
    release.change("upgrade", agent_values(sweep, "new", kind="Job", replicas=2))
    check_end(sweep)
    first, = release.get("jobs", "-l", "besom/agent=many")["items"]
    assert first["status"]["succeeded"] == 2 and not first["status"].get("failed"), first["status"]
    # Another image and another certificate: a Job cannot be changed, and the sweeps that follow need services that trust each other
    release.change("upgrade", dict(agent_values(sweep, "old", kind="Job", replicas=2), tls={"extraNames": ["sweeps.example.org"]}))
    second, = release.get("jobs", "-l", "besom/agent=many")["items"]
    assert second["metadata"]["name"] != first["metadata"]["name"] and second["status"]["succeeded"] == 2, second["status"]
    release.cluster.helm("test", NAME, "--namespace", NAMESPACE, "--timeout", "3m")


def job_of_the_document():
    """What docs/kubernetes.md shows for people who write Jobs themselves."""
    with open(os.path.join(ROOT, "docs", "kubernetes.md")) as file:
        blocks = re.findall(r"(?:^    .*\n|^\n)+", file.read(), re.MULTILINE)
    return next(yaml.safe_load(block) for block in blocks if "kind: Job" in block and "apiVersion: batch/v1" in block)


def test_job_of_the_document(release):
    sweep, job = Sweep(release, 4, 0), job_of_the_document()
    extra, pod = with_journal(sweep), job["spec"]["template"]["spec"]
    pod["initContainers"][0]["image"] = f"{images.PREFIX}/agent:new"
    training, = pod["containers"]
    training["image"], training["command"][-1] = TRAINING, sweep.id
    training["env"] += extra["env"]
    training["env"][2]["valueFrom"]["secretKeyRef"]["name"] = "agent-token"
    training["volumeMounts"] += extra["volumeMounts"]
    pod["volumes"] += extra["volumes"]
    release.cluster.apply(job, "--namespace", NAMESPACE)
    release.cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=complete", "job/my-training", "--timeout=120s")
    check_end(sweep)
    release.cluster.kubectl("-n", NAMESPACE, "delete", "job", "my-training", "--wait")


def test_uninstall_leaves_nothing(release):
    """Of no kind, in no namespace: objects with its label, and all others that were not there before; volumes too."""
    assert len(release.get("persistentvolumes")["items"]) == 1
    release.cluster.helm("uninstall", NAME, "--namespace", NAMESPACE, "--wait", "--timeout", "5m")
    release.cluster.kubectl("-n", NAMESPACE, "delete", "secret", "agent-token")  # our own
    wait_for(lambda: release.cluster.objects() == release.before, 120,
             lambda: f"left: {sorted(release.cluster.objects() - release.before)}")
    assert release.cluster.objects("-l", f"app.kubernetes.io/instance={NAME}") == set()
    assert not os.listdir(os.path.join(release.cluster.folder, "volumes"))
