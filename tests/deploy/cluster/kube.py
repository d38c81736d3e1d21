# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster from `up` to `down`, and the programs that talk to it: kubectl, helm, ctr, besom."""
import base64
import json
import os
import signal
import subprocess
import time

from test_helm import CHART

HERE = os.path.dirname(os.path.abspath(__file__))
# What comes and goes without anybody's doing
NOT_COMPARED = {"events", "events.events.k8s.io", "leases.coordination.k8s.io"}


def wait_for(condition, seconds, what):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.5)


class Cluster:
    def __init__(self, folder, tools, programs, pause):
        self.folder, self.tools = folder, tools
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("BESOM_", "HELM_", "KUBE"))}
        self.environment.update({f"HELM_{name}_HOME": os.path.join(folder, "helm", name) for name in ("CACHE", "CONFIG", "DATA")})
        self.environment.update(KUBECONFIG=os.path.join(folder, "kubeconfig"),
                                PATH=f"{tools}/kubectl:{tools}/helm:{os.environ['PATH']}")
        self.up = [os.path.join(HERE, "up"), folder, programs, pause]

    def __enter__(self):
        done = subprocess.run(self.up, env=self.environment, text=True, capture_output=True)
        if done.returncode != 0:
            said = done.stderr + self.last_words()
            self.close()
            raise AssertionError(said)
        with open(os.path.join(self.folder, "pid")) as file:
            self.inside = ["nsenter", "-t", file.read().strip(), "-n"]
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        subprocess.run([os.path.join(HERE, "down"), self.folder], check=True)

    def last_words(self):
        """What each program of the cluster wrote last."""
        logs = os.path.join(self.folder, "log")
        names = sorted(os.listdir(logs)) if os.path.isdir(logs) else []
        tails = subprocess.run(["tail", "-n", "5", *names], cwd=logs, text=True, capture_output=True).stdout if names else ""
        return tails[-8000:]

    def run(self, *command, check=True, timeout=600, environment=None):
        done = subprocess.run([*self.inside, *command], env=dict(self.environment, **(environment or {})), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def kubectl(self, *arguments, **options):
        return self.run("kubectl", *arguments, **options).stdout

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def helm(self, *arguments, **options):
        return self.run("helm", *arguments, **options).stdout

    def version(self):
        return json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"].lstrip("v")

    def apply(self, document, *arguments):
        path = os.path.join(self.folder, "document.json")
        with open(path, "w") as file:
            json.dump(document, file)
        self.kubectl("apply", "--server-side", "--validate=true", "-f", path, *arguments)

    def wait_for_account(self, namespace):
        """Pods are refused until the namespace has its account."""
        wait_for(lambda: self.run("kubectl", "-n", namespace, "get", "serviceaccount", "default", check=False).returncode == 0, 60,
                 "an account for pods")

    def ctr(self, *arguments, **options):
        return self.run("ctr", "-a", os.path.join(self.folder, "containerd.sock"), "-n", "k8s.io", *arguments, **options).stdout

    def listed(self, *arguments):
        kinds = set(self.kubectl("api-resources", "--verbs=list,delete", "-o", "name").split()) - NOT_COMPARED
        return json.loads(self.kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", "-o", "json", *arguments))["items"]

    def objects(self, *arguments):
        """(kind, namespace, name) of everything that is stored, whoever it belongs to."""
        return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in self.listed(*arguments)}


class Release:
    """A release of the chart in a namespace of its own, and what its operator does."""

    def __init__(self, cluster, name, namespace):
        self.cluster, self.name, self.namespace = cluster, name, namespace
        self.access = None  # what the CLI is told, once it was asked

    def get(self, *arguments):
        return self.cluster.get("-n", self.namespace, *arguments)

    def pods(self, component, *more):
        chosen = ",".join([f"app.kubernetes.io/instance={self.name}", f"app.kubernetes.io/component={component}", *more])
        return self.get("pods", "-l", chosen)["items"]

    def change(self, command, values):
        """`helm install` or `upgrade` that waits for everything, with these values alone."""
        path = os.path.join(self.cluster.folder, "values.json")
        with open(path, "w") as file:
            json.dump(values, file)
        try:
            self.cluster.helm(command, self.name, CHART, "--namespace", self.namespace, "--values", path, "--wait", "--wait-for-jobs",
                              "--timeout", "6m", timeout=420)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.state()}") from None

    def state(self):
        """What to look at when something did not come up."""
        pods = self.cluster.kubectl("-n", self.namespace, "get", "pods", "-o", "wide")
        events = self.cluster.kubectl("-n", self.namespace, "get", "events", "--sort-by=.lastTimestamp")
        return f"{pods}\n{chr(10).join(events.splitlines()[-20:])}"

    def secret(self, name, key):
        return base64.b64decode(self.get("secret", name)["data"][key]).decode()

    def besom(self, program, *arguments, check=True):
        """A command of the CLI, to the service's own address by the name in its certificate."""
        service = f"{self.name}-controller"
        if not self.access:
            ca = os.path.join(self.cluster.folder, "ca.pem")
            with open(ca, "w") as file:
                file.write(self.secret(f"{self.name}-tls", "ca.crt"))
            address = self.get("service", service)["spec"]["clusterIP"]
            self.access = {"BESOM_ADDRESS": f"{address}:7070", "BESOM_CA_FILE": ca,
                           "BESOM_TOKEN": self.secret(f"{self.name}-auth", "admin-token")}
        return self.cluster.run(program, *arguments, "--server-name", service, check=check, environment=self.access)

    def kill(self, pod):
        """As when its machine goes: every process at once by SIGKILL, and the pod off the list without waiting."""
        for status in pod["status"]["containerStatuses"]:
            container = status.get("containerID", "").rpartition("/")[2]
            if status["state"].get("running"):
                self.cluster.ctr("tasks", "kill", "--signal", str(int(signal.SIGKILL)), "--all", container, check=False)
        self.cluster.kubectl("-n", self.namespace, "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")


def is_ready(pod):
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions") or []}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
