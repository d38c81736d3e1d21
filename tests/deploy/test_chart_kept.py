# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chart makes at random and keeps: rendered against a stand-in for the API server that has the Secrets of before."""
import base64
import http.server
import json
import subprocess
import threading

import pytest
import yaml

from test_helm import CHART, helm, manifests, tools  # noqa: F401

KINDS = {"v1": ("Secret", "Service", "PersistentVolumeClaim", "Pod"), "apps/v1": ("Deployment", "StatefulSet"), "batch/v1": ("Job",),
         "networking.k8s.io/v1": ("NetworkPolicy",), "policy/v1": ("PodDisruptionBudget",)}


def discovery():
    """Which kinds there are, as clients ask for it: path → answer."""
    versions = [{"groupVersion": one, "version": "v1"} for one in KINDS if "/" in one]
    groups = [{"name": one["groupVersion"].partition("/")[0], "versions": [one], "preferredVersion": one} for one in versions]
    found = {"/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}, "/api": {"kind": "APIVersions", "versions": ["v1"]},
             "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}}
    for version, kinds in KINDS.items():
        found[("/apis/" if "/" in version else "/api/") + version] = {"kind": "APIResourceList", "groupVersion": version, "resources": [
            {"name": kind.lower() + "s", "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]} for kind in kinds]}
    return found


ANSWERS = discovery()
OWNER = {"meta.helm.sh/release-name": "besom", "meta.helm.sh/release-namespace": "ml"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        answer = ANSWERS.get(path) or (self.server.secrets.get(path.rpartition("/")[2]) if "/secrets/" in path else None)
        text = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster(helm, tmp_path):  # noqa: F811
    """Renders with values and keeps the Secrets that come of it for the next time."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.secrets = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = tmp_path / "kubeconfig"
    config.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}]}))

    def upgrade(*values):
        chosen = [part for value in values for part in ("--set", value)]
        documents = manifests(helm("template", "besom", CHART, "--namespace", "ml", "--dry-run=server", "--kubeconfig", str(config),
                                   "--disable-openapi-validation", *chosen).stdout)
        server.secrets = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Secret"}
        for one in server.secrets.values():
            one["metadata"].setdefault("annotations", {}).update(OWNER)
        return documents

    yield upgrade
    server.shutdown()
    server.server_close()


def secret(documents, name):
    return next(one["data"] for one in documents if one["kind"] == "Secret" and one["metadata"]["name"] == name)


def annotations(documents, name):
    return next(one["spec"]["template"]["metadata"].get("annotations") for one in documents
                if one["kind"] == "Deployment" and one["metadata"]["name"] == name)


def openssl(*arguments, text):
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=True, timeout=60).stdout.decode()


def pem(data, key):
    return base64.b64decode(data[key])


def test_an_upgrade_keeps_what_was_made(cluster):
    first = cluster()
    second = cluster("logLevel=debug")
    for name in ("besom-auth", "besom-tls", "besom-ca", "besom-database"):
        assert secret(first, name) == secret(second, name), name
    assert annotations(first, "besom-controller") == annotations(second, "besom-controller")


def test_other_names_make_another_certificate(cluster, tmp_path):
    """Of the same authority, so that agents elsewhere go on trusting it; pods that read it are replaced."""
    first = cluster()
    second = cluster("tls.extraNames={besom.example.org,10.0.0.5,fd00::1}")
    old, new = secret(first, "besom-tls"), secret(second, "besom-tls")
    assert new["tls.crt"] != old["tls.crt"] and new["ca.crt"] == old["ca.crt"]
    told = openssl("x509", "-noout", "-ext", "subjectAltName", text=pem(new, "tls.crt"))
    for name in ("DNS:besom.example.org", "IP Address:10.0.0.5", "IP Address:FD00:0:0:0:0:0:0:1", "DNS:localhost",
                 "DNS:besom-scheduler.ml.svc.cluster.local"):
        assert name in told, told
    assert "DNS:10." not in told and "DNS:fd00" not in told
    (tmp_path / "ca.pem").write_bytes(pem(old, "ca.crt"))
    openssl("verify", "-CAfile", str(tmp_path / "ca.pem"), text=pem(new, "tls.crt"))
    for service in ("besom-controller", "besom-suggestion", "besom-scheduler"):
        assert annotations(first, service) != annotations(second, service)
    third = cluster("tls.extraNames={besom.example.org,10.0.0.5,fd00::1}")
    assert secret(third, "besom-tls") == new


def test_the_authority_is_in_no_pod(cluster):
    documents = cluster("agents[0].name=a", "agents[0].sweep=s", "agents[0].image=i")
    assert "besom-ca" not in json.dumps([one for one in documents if one["kind"] not in ("Secret",)])
