# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart's values: each is explained, each does something, and those that people really give come out right."""
import concurrent.futures
import json
import re

import pytest
import yaml

import chart_readme
from test_helm import AGENT, CHART, NEW, OLD, by_kind, helm, manifests, pod_specs, tools  # noqa: F401

DIGEST = "sha256:" + "0123456789abcdef" * 4
EXTERNAL = {"database": {"mode": "external", "external": {"existingSecret": "db"}}}
CNPG = {"database": {"mode": "cloudNativePG"}}
CERT = {"tls": {"source": "certManager", "certManager": {"issuerRef": {"name": "ca"}}}}
ENTRY = {"name": "a", "value": "b"}
# Of each value: another one, and what else must be said for it to count.
CHANGES = {
    "fullnameOverride": ("other", {}), "image.prefix": ("r.example.org/b", {}), "image.tag": ("2", {}), "image.pullPolicy": ("Always", {}),
    "image.digests": ({"scheduler": DIGEST}, {}), "image.pullSecrets": ([{"name": "p"}], {}),
    "serviceAccount.create": (True, {}), "serviceAccount.name": ("s", {}),
    "serviceAccount.annotations": ({"a": "b"}, {"serviceAccount": {"create": True}}),
    "pods.annotations": ({"a": "b"}, {}), "pods.labels": ({"a": "b"}, {}), "pods.nodeSelector": ({"a": "b"}, {}),
    "pods.tolerations": ([{"operator": "Exists"}], {}), "pods.affinity": ({"nodeAffinity": {}}, {}), "pods.priorityClassName": ("high", {}),
    "pods.topologySpreadConstraints": ([], {}), "pods.env": ([ENTRY], {}), "pods.volumes": ([{"name": "v", "emptyDir": {}}], {}),
    "pods.volumeMounts": ([{"name": "v", "mountPath": "/v"}], {}), "deploymentAnnotations": ({"a": "b"}, {}),
    "logLevel": ("debug", {}), "logFormat": ("text", {}), "auth.existingSecret": ("other", {}), "tls.source": ("none", {}),
    "tls.existingSecret": ("other", {}), "tls.certManager.issuerRef": ({"name": "other"}, CERT), "tls.certManager.duration": ("1h", CERT),
    "tls.extraNames": (["h.example.org"], CERT), "database.mode": ("cloudNativePG", {}),
    "database.external.existingSecret": ("other", EXTERNAL), "database.external.key": ("other", EXTERNAL),
    "database.external.migrationKey": ("other", EXTERNAL), "database.external.caSecret": ("other", EXTERNAL),
    "database.external.unprepared": (True, EXTERNAL), "database.external.port": (6432, EXTERNAL),
    "database.external.migrationPort": (6432, EXTERNAL), "database.bundled.image": ("other", {}),
    "database.bundled.dataPath": ("/other", {}), "database.bundled.uid": (1, {}), "database.bundled.storage": ("1Gi", {}),
    "database.bundled.storageClassName": ("fast", {}), "database.cloudNativePG.instances": (1, CNPG),
    "database.cloudNativePG.storage": ("1Gi", CNPG), "database.cloudNativePG.storageClassName": ("fast", CNPG),
    "database.cloudNativePG.synchronous": (False, CNPG), "database.cloudNativePG.spec": ({"logLevel": "debug"}, CNPG),
    "migrations.hooks": (True, EXTERNAL), "agents": ([{"name": "a", "sweep": "s", "image": "i"}], {}),
    "service.type": ("NodePort", {}), "service.annotations": ({"a": "b"}, {}),
    "ingress.enabled": (True, {"ingress": {"host": "h"}}), "ingress.className": ("c", {"ingress": {"enabled": True, "host": "h"}}),
    "ingress.annotations": ({"a": "b"}, {"ingress": {"enabled": True, "host": "h"}}),
    "ingress.host": ("other", {"ingress": {"enabled": True, "host": "h"}}),
    "ingress.tlsSecret": ("t", {"ingress": {"enabled": True, "host": "h"}}),
    "grpcRoute.enabled": (True, {"grpcRoute": {"parentRefs": [{"name": "g"}]}}),
    "grpcRoute.parentRefs": ([{"name": "other"}], {"grpcRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}),
    "grpcRoute.hostnames": (["h"], {"grpcRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}),
    "networkPolicy.enabled": (False, {}), "networkPolicy.controllerFrom": ([{"podSelector": {}}], {}),
    "networkPolicy.metricsFrom": ([{"podSelector": {}}], {}), "podDisruptionBudget.enabled": (False, {}),
    "monitoring.serviceMonitor.enabled": (True, {}), "monitoring.prometheusRule.enabled": (True, {}),
    "monitoring.dashboard.enabled": (True, {}),
    "monitoring.serviceMonitor.labels": ({"a": "b"}, {"monitoring": {"serviceMonitor": {"enabled": True}}}),
    "monitoring.serviceMonitor.interval": ("1m", {"monitoring": {"serviceMonitor": {"enabled": True}}}),
    "monitoring.prometheusRule.labels": ({"a": "b"}, {"monitoring": {"prometheusRule": {"enabled": True}}}),
    "monitoring.prometheusRule.runbookUrl": ("https://h", {"monitoring": {"prometheusRule": {"enabled": True}}}),
    "monitoring.dashboard.labels": ({"a": "b"}, {"monitoring": {"dashboard": {"enabled": True}}}),
}
for _name in ("controller", "suggestion", "scheduler"):
    _scaled = {_name: {"autoscaling": {"enabled": True}}}
    CHANGES.update({f"{_name}.{key}": change for key, change in {
        "replicas": (3, {}), "poolSize": (9, {}), "extraArgs": (["--max-calls=1"], {}), "autoscaling.enabled": (True, {}),
        "autoscaling.minReplicas": (3, _scaled), "autoscaling.maxReplicas": (9, _scaled),
        "autoscaling.targetCPUUtilizationPercentage": (50, _scaled), "podAnnotations": ({"a": "b"}, {}), "nodeSelector": ({"a": "b"}, {}),
        "tolerations": ([{"operator": "Exists"}], {}), "affinity": ({"nodeAffinity": {}}, {})}.items()})
for _name in ("controller", "suggestion", "scheduler", "database.bundled", "migrations", "tests"):
    CHANGES[f"{_name}.resources"] = ({"limits": {"memory": "2Gi"}}, {})
# Nothing that is made at random, so that equal values render equally.
BASE = {"tls": {"source": "secret", "existingSecret": "t"}, "auth": {"existingSecret": "a"}}
# Where each kind of workload can be sent, and what its pods can be given.
PLACES = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}], "affinity": {"nodeAffinity": {}},
          "priorityClassName": "high"}


def rows():
    return [re.match(r"\| `([^`]+)` \| .* \| (.*) \|$", line).groups() for line in chart_readme.readme().splitlines()
            if line.startswith("| `")]


def merged(*parts):
    result = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def nested(name, value):
    for key in reversed(name.split(".")):
        value = {key: value}
    return value


@pytest.fixture
def rendered(helm, tmp_path):  # noqa: F811
    """Documents for these values, without what is drawn at random."""
    def call(*values, release="besom", version=NEW):
        path = tmp_path / f"{abs(hash(json.dumps(values)))}.yaml"
        path.write_text(yaml.safe_dump(merged(BASE, *values)))
        found = manifests(helm("template", release, CHART, "--namespace", "ml", "--values", str(path), *version).stdout)
        return [one for one in found if one["kind"] != "Secret"]
    return call


def named(documents, kind):
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def test_every_value_is_explained():
    assert [name for name, told in rows() if not told] == []


def test_every_value_does_something(rendered):
    assert sorted(name for name, _ in rows()) == sorted(CHANGES)

    def differs(name):
        value, context = CHANGES[name]
        return rendered(context) != rendered(context, nested(name, value))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        told = dict(zip(CHANGES, pool.map(differs, CHANGES)))
    assert [name for name in told if not told[name]] == []


@pytest.mark.parametrize("mode", ["bundled", "external"])
def test_pods_go_where_they_are_sent(rendered, mode):
    """All of them: a Job or a test that no node takes holds up an installation as well as a service."""
    documents = rendered({"bundled": {}, "external": EXTERNAL}[mode], {"pods": dict(PLACES, labels={"team": "ml"}, annotations={"mesh": "off"}),
                                                                     "serviceAccount": {"create": True}})
    seen = 0
    for one in documents:
        for name, spec in pod_specs([one]):
            assert {key: spec.get(key) for key in PLACES} == PLACES, name
            assert spec["serviceAccountName"] == "besom"
            metadata = one["metadata"] if one["kind"] == "Pod" else one["spec"]["template"]["metadata"]
            assert metadata["labels"]["team"] == "ml" and metadata["annotations"]["mesh"] == "off", name
            seen += 1
    assert seen == {"bundled": 6, "external": 5}[mode]
    account, = named(documents, "ServiceAccount").values()
    assert account["automountServiceAccountToken"] is False


def test_a_service_stands_above_all_pods(rendered):
    documents = named(rendered({"pods": dict(PLACES, annotations={"a": "all"}, labels={"app.kubernetes.io/name": "other"}),
                                "scheduler": {"nodeSelector": {"own": "yes"}, "podAnnotations": {"a": "own"}}}), "Deployment")
    template = documents["besom-scheduler"]["spec"]["template"]
    assert template["spec"]["nodeSelector"] == {"own": "yes"} and template["metadata"]["annotations"] == {"a": "own"}
    assert documents["besom-controller"]["spec"]["template"]["spec"]["nodeSelector"] == PLACES["nodeSelector"]
    for one in documents.values():  # the selector is the chart's own
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert {key: labels[key] for key in one["spec"]["selector"]["matchLabels"]} == one["spec"]["selector"]["matchLabels"]


def test_spread_counts_pods_of_the_service(rendered):
    zone = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    for name, one in named(rendered({"pods": {"topologySpreadConstraints": [zone]}}), "Deployment").items():
        spread, = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread == dict(zone, labelSelector={"matchLabels": one["spec"]["selector"]["matchLabels"]}), name


def test_client_certificate_for_the_database(rendered):
    """`pods.env` and volumes reach all that connect to PostgreSQL, and it alone."""
    values = {"env": [{"name": "PGSSLCERT", "value": "/c/tls.crt"}], "volumes": [{"name": "c", "secret": {"secretName": "c"}}],
              "volumeMounts": [{"name": "c", "mountPath": "/c"}]}
    for name, spec in pod_specs(rendered(EXTERNAL, {"pods": values})):
        container, = spec["containers"]
        has = [name for key, items in (("env", container["env"]), ("volumes", spec.get("volumes", [])), ("volumeMounts", container["volumeMounts"]))
               if values[key][0] in items]
        assert len(has) == (0 if name == "besom-test" else 3), name


def test_a_hook_does_not_wait_for_its_account(rendered):
    documents = rendered(EXTERNAL, {"migrations": {"hooks": True}, "serviceAccount": {"create": True}})
    job, = named(documents, "Job").values()
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_images_by_digest(rendered):
    documents = rendered({"image": {"digests": {"controller": DIGEST}, "tag": "3"}})
    found = {name: spec["containers"][0]["image"] for name, spec in pod_specs(documents)}
    assert found["besom-controller"] == f"besom/controller@{DIGEST}" and found["besom-scheduler"] == "besom/scheduler:3"
    assert [image for name, image in found.items() if "migrate" in name] == [f"besom/controller@{DIGEST}"]


LONG = "a-release-with-the-longest-name-that-helm-takes-12345"


@pytest.mark.parametrize("release", [LONG, "team.ml"])
def test_names_fit(rendered, release):
    agent = {"name": "twenty-characters-20", "sweep": "s", "image": "i", "kind": "Job", "replicas": 99999}
    documents = rendered({"agents": [agent], "service": {"type": "LoadBalancer"}}, release=release)
    for one in documents:
        name = one["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 63, name
        if one["kind"] == "Job" and one["spec"].get("completionMode"):
            assert len(f"{name}-{one['spec']['completions'] - 1}") <= 63, "the name of an indexed pod's host"


def test_labels_are_texts(rendered):
    """Where names look like numbers, too."""
    documents = rendered({"fullnameOverride": "besom", "agents": [{"name": "24", "sweep": "12345678", "image": "i"}]}, release="1234")
    for one in documents:
        for labels in (one["metadata"]["labels"], one["spec"].get("template", {}).get("metadata", {}).get("labels", {})):
            assert all(isinstance(value, str) for value in labels.values()), (one["metadata"]["name"], labels)


def test_a_host_may_be_a_wildcard(rendered):
    ingress, = named(rendered({"ingress": {"enabled": True, "host": "*.example.org", "tlsSecret": "t"}}), "Ingress").values()
    assert ingress["spec"]["rules"][0]["host"] == "*.example.org"
    assert ingress["spec"]["tls"] == [{"hosts": ["*.example.org"], "secretName": "t"}]


def test_no_agents_is_none(rendered):
    for kind in ("Deployment", "Job"):
        agent = {"name": "a", "sweep": "s", "image": "i", "kind": kind, "replicas": 0}
        spec = next(one["spec"] for one in rendered({"agents": [agent]}) if one["metadata"]["labels"].get("besom/agent") == "a")
        assert (spec["replicas"] if kind == "Deployment" else spec["parallelism"]) == 0


def test_agents_leave_their_gpu_before_others_come(rendered):
    """Where every GPU is taken a new pod first would wait for ever."""
    agent = named(rendered({"agents": [{"name": "a", "sweep": "s", "image": "i", "gpus": 1}]}), "Deployment")["besom-agent-a"]
    assert agent["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_agents_have_places_of_their_own(rendered):
    own = dict(PLACES, serviceAccountName="s3", podLabels={"team": "ml"}, podAnnotations={"mesh": "off"})
    agent = named(rendered({"agents": [dict(own, name="a", sweep="s", image="i")], "pods": {"nodeSelector": {"pool": "small"}}}),
                  "Deployment")["besom-agent-a"]["spec"]["template"]
    assert {key: agent["spec"][key] for key in PLACES} == PLACES and agent["spec"]["serviceAccountName"] == "s3"
    assert agent["metadata"]["labels"]["team"] == "ml" and agent["metadata"]["annotations"] == {"mesh": "off"}


@pytest.mark.parametrize("version", [OLD, NEW], ids=["1.20", "1.34"])
def test_jobs_that_change_are_other_jobs(rendered, version):
    """What a Job is made of cannot be changed: the same name with another image is refused by the API server."""
    def jobs(*values):
        return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["metadata"]["name"]
                for one in named(rendered({"agents": [agent]}, *values, version=version), "Job").values()}
    agent = {"name": "a", "sweep": "s", "image": "i", "kind": "Job"}
    first = jobs()
    assert jobs({"logLevel": "debug"}) == first
    second = jobs({"image": {"tag": "2"}})
    assert second["migrate"] != first["migrate"] and second["agent"] != first["agent"]
    agent["replicas"] = 2
    assert jobs()["agent"] != first["agent"]


def test_metrics_stay_inside(rendered):
    """They need no token: whatever leads to the controller from outside leads to its gRPC port alone."""
    values = {"monitoring": {"serviceMonitor": {"enabled": True}}, "ingress": {"enabled": True, "host": "h"}}
    for kind in ("LoadBalancer", "NodePort", "ClusterIP"):
        documents = rendered(values, {"service": {"type": kind}})
        services = named(documents, "Service")
        for name, one in services.items():
            if one["spec"].get("type", "ClusterIP") != "ClusterIP":
                assert (name, [port["name"] for port in one["spec"]["ports"]]) == ("besom-controller", ["grpc"])
        monitor, = named(documents, "ServiceMonitor").values()
        chosen = [one for one in services.values() if one["metadata"]["labels"].get("app.kubernetes.io/component") in
                  monitor["spec"]["selector"]["matchExpressions"][0]["values"]]
        scraped = [one["spec"]["selector"]["app.kubernetes.io/component"] for one in chosen for port in one["spec"]["ports"]
                   if port["name"] == monitor["spec"]["endpoints"][0]["port"]]
        assert sorted(scraped) == ["controller", "scheduler", "suggestion"]


def test_migrations_may_go_another_way(rendered):
    """PgBouncer for the services, the server itself for the Job."""
    policies = named(rendered(EXTERNAL, {"database": {"external": {"port": 6432, "migrationPort": 5432, "migrationKey": "direct"}}}),
                     "NetworkPolicy")

    def ports(component):
        return {port["port"] for rule in policies[f"besom-{component}"]["spec"]["egress"] for port in rule["ports"]} - {53, 7071, 7072}
    assert ports("migrate") == {5432} and ports("controller") == ports("suggestion") == ports("scheduler") == {6432}


def test_more_of_the_cluster(rendered):
    cluster, = named(rendered(CNPG, {"database": {"cloudNativePG": {"spec": {"backup": {"retentionPolicy": "30d"},
                                                                         "storage": {"resizeInUseVolumes": False}}}}}), "Cluster").values()
    assert cluster["spec"]["backup"] == {"retentionPolicy": "30d"} and cluster["spec"]["instances"] == 3
    assert cluster["spec"]["storage"] == {"size": "20Gi", "resizeInUseVolumes": False}


def test_alerts_lead_to_their_runbooks(rendered):
    """The files' own place, or where the site has them, with the heading that stands there."""
    for url, key, begin in (("", "runbook", "docs/operations.md#"), ("https://h/ops", "runbook_url", "https://h/ops#")):
        rule, = named(rendered({"monitoring": {"prometheusRule": {"enabled": True, "runbookUrl": url}}}), "PrometheusRule").values()
        told = [alert["annotations"] for group in rule["spec"]["groups"] for alert in group["rules"]]
        assert told and all(one[key].startswith(begin) for one in told)
        assert url == "" or not any("runbook" in one for one in told)


@pytest.mark.parametrize("values, said", [
    (AGENT + ",agents[1].name=a,agents[1].sweep=other,agents[1].image=i", "two agents have the name a"),
    ("fullnameOverride=Besom", "fullnameOverride"),
    ("image.digests.controler=" + DIGEST, "controler"),
    ("image.digests.controller=latest", "digests"),
    ("pods.annotation.a=b", "annotation"),
    ("tls.source=certManager", "tls.certManager.issuerRef is needed"),
    ("grpcRoute.enabled=true", "grpcRoute.parentRefs is needed"),
])
def test_wrong_values_are_refused(helm, values, said):  # noqa: F811
    done = helm("template", "besom", CHART, "--set", values, check=False)
    assert done.returncode != 0 and said in done.stderr


def test_a_release_may_begin_with_a_digit(helm):  # noqa: F811
    refused = helm("template", "1st", CHART, check=False)
    assert refused.returncode != 0 and "set fullnameOverride" in refused.stderr
    assert by_kind(helm("template", "1st", CHART, "--set", "fullnameOverride=first").stdout)["Service"]


@pytest.mark.parametrize("source, said", [("secret", "besom ls --server-name besom-controller"), ("none", "export BESOM_INSECURE=1")])
def test_notes_by_certificate(helm, source, said):  # noqa: F811
    """Through the forwarded port the name is localhost, which a certificate of one's own need not have."""
    told = helm("install", "besom", CHART, "--dry-run=client", "--set", f"tls.source={source},tls.existingSecret=t").stdout
    assert said in told
