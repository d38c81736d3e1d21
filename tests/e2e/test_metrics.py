# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring: metrics of real services after real traffic, health with reasons, request ids, alerts."""
import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import grpc
import psycopg2
import pytest

import localstack
from localstack import BIN, LocalStack, free_ports, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = ("suggestion", "scheduler", "controller")
SWEEP = """
program: train.sh
command: ["sh", "-c", "for i in 1 2 3 4 5 6; do echo loss=$(( $$ % 1000 )).$i; done", "${args}"]
method: bayes
metric: {name: loss, goal: minimize}
metrics_from: stdout
run_cap: 12
early_terminate: {type: hyperband, max_iter: 6, s: 1, eta: 3}
parameters: {x: {min: 0.0, max: 1.0}}
"""


def get(port, path):
    """Status and text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None, ""


class Replica:
    """A second process of one service on the stack's database, with a port for its metrics."""

    def __init__(self, stack, name, *options):
        self.stack, self.name, self.port = stack, name, free_ports(1)[0]
        self.socket = f"unix:{stack.home}/{name}-2.sock"
        self.log = os.path.join(stack.home, name + "-2.log")
        dropped = {option for option in options if option.startswith("--")} | {"--listen"}
        given = self.arguments(stack)
        kept = [word for flag, value in zip(given[::2], given[1::2]) if flag not in dropped for word in (flag, value)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(BIN, "besom-" + name), *kept, "--listen", self.socket, "--metrics-port", str(self.port),
                 "--log-format", "json", "--log-level", "debug", *options],
                env=stack.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: get(self.port, "/readyz")[0] == 200, 30, name + " is ready")

    def arguments(self, stack):
        for pid in stack.pids("besom-" + self.name):
            return localstack.read_bytes(f"/proc/{pid}/cmdline").decode().split("\0")[1:-1]
        raise AssertionError("no " + self.name)

    def metrics(self):
        status, text = get(self.port, "/metrics")
        assert status == 200
        return text

    def value(self, series):
        """Of a series as it is written; 0 when it is not there."""
        for line in self.metrics().splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0

    def option(self, name):
        words = localstack.read_bytes(f"/proc/{self.process.pid}/cmdline").decode().split("\0")
        return words[words.index(name) + 1]

    def lines(self):
        return [json.loads(line) for line in localstack.read_bytes(self.log).decode().splitlines()]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, localstack.read_bytes(self.log).decode()


@pytest.fixture(scope="module")
def services():
    """Each service once more, and a sweep that went through them."""
    found = {}
    with LocalStack(BESOM_RENEW_TIME="200ms") as stack:
        try:
            for name in ("suggestion", "scheduler"):
                found[name] = Replica(stack, name)
            found["controller"] = Replica(stack, "controller", "--suggestion-address", found["suggestion"].socket,
                                          "--scheduler-address", found["scheduler"].socket)
            with open(os.path.join(stack.environment["BESOM_HOME"], "token")) as file:
                stack.environment.update(BESOM_ADDRESS=found["controller"].socket, BESOM_TOKEN=file.read().strip())
            sweep = stack.create(SWEEP)
            stack.start_agent(sweep, 0, "-j", "3")
            wait_for(lambda: stack.json("status", sweep)["state"] == "finished", 60,
                     "the sweep is finished: " + stack.command("status", sweep).stdout)
            stack.agents[0].wait(30)
            yield found
        finally:
            for name in reversed(found):
                found[name].end()


@pytest.mark.parametrize("name", SERVICES)
def test_promtool_finds_nothing_to_complain_of(services, name):
    done = subprocess.run(["promtool", "check", "metrics"], input=services[name].metrics(), text=True, capture_output=True)
    assert done.returncode == 0 and done.stdout + done.stderr == ""


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_served_is_what_is_documented(services, name):
    with open(os.path.join(ROOT, "docs/metrics.md")) as file:
        sections = file.read().split("\n## ")
    wanted = {}
    for section in sections:
        if section.startswith(("Every service\n", f"besom-{name}\n")):
            wanted.update(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.M))
    assert dict(re.findall(r"^# TYPE (\w+) (\w+)$", services[name].metrics(), re.M)) == wanted


def test_labels_hold_no_ids(services):
    words = {"finished", "assigned", "released", "repeated"}  # of eight characters, as ids have
    for service in services.values():
        for value in re.findall(r'="([a-z0-9]{8})"', service.metrics()):
            assert value in words


def test_traffic_is_counted(services):
    controller, suggestion, scheduler = (services[name] for name in ("controller", "suggestion", "scheduler"))
    assert controller.value('besom_controller_claims_total{verdict="run"}') >= 12
    assert controller.value('besom_controller_batches_total{verdict="stored"}') >= 12
    assert controller.value("besom_controller_points_total") >= 12
    assert controller.value("besom_controller_commit_duration_seconds_count") >= 1
    assert controller.value("besom_controller_suggested_runs_total") >= 12
    ended = sum(controller.value(f'besom_controller_runs_ended_total{{state="{state}"}}') for state in ("finished", "stopped"))
    assert ended == 12
    method = 'method="besom.v1.RunService/FinishRun"'
    assert controller.value(f'besom_rpc_requests_total{{{method},code="OK"}}') >= 12
    assert controller.value(f'besom_rpc_request_duration_seconds_count{{{method}}}') >= 12
    assert controller.value(f"besom_rpc_in_flight_requests{{{method}}}") == 0
    assert controller.value('besom_rpc_open_streams{method="besom.v1.RunService/TrackRun"}') == 0
    assert suggestion.value('besom_suggestion_duration_seconds_count{method="bayes",results="0-99"}') >= 1
    assert suggestion.value('besom_suggestion_suggestions_total{method="bayes"}') >= 12
    assert suggestion.value("besom_suggestion_fits_total") >= 1
    decided = sum(scheduler.value(f'besom_scheduler_decisions_total{{decision="{word}"}}') for word in ("go_on", "stop"))
    assert scheduler.value("besom_scheduler_decision_delay_seconds_count") == decided
    assert scheduler.value('besom_scheduler_decision_delay_seconds_bucket{le="10"}') == decided
    assert decided >= 1 and scheduler.value("besom_scheduler_decide_duration_seconds_count") >= 1
    for service in services.values():
        assert service.value("besom_ready") == 1 and service.value("besom_database_up") == 1
        assert service.value("besom_database_connections{state=\"open\"}") >= 1
        assert service.value('besom_database_transaction_duration_seconds_count{kind="read"}') >= 1


def test_log_lines_are_json_and_name_their_request(services):
    built = [line for line in services["scheduler"].lines() if line["event"] == "built_rule"]
    assert built and all(line["request"] for line in built)
    filled = [line for line in services["controller"].lines() if line["event"] == "queue_filled"]
    assert filled and all(line["request"] for line in filled)


def test_a_request_id_goes_along(services):
    """A call that fails is found by its id in the log of the service that was asked."""
    suggestion = services["suggestion"]
    with grpc.insecure_channel(suggestion.socket) as channel:
        call = channel.unary_unary("/besom.v1.SuggestionService/Suggest")
        with open(suggestion.option("--service-token-file")) as file:
            token = file.read().strip()
        with pytest.raises(grpc.RpcError) as failure:
            call(b"\x0a\x08nosweep1", metadata=[("authorization", "Bearer " + token), ("x-request-id", "from-a-test.1")],
                 timeout=10)
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND
    failed = [line for line in suggestion.lines() if line["event"] == "suggest_failed"]
    assert failed[-1]["request"] == "from-a-test.1"


def test_agents_say_what_waits_in_their_spools(services):
    """While nothing can be stored, signs of life tell how many batches wait; afterwards none does."""
    controller = services["controller"]
    stack, spooled = controller.stack, "besom_controller_spooled_batches"
    sweep = stack.create("""
command: [sh, -c, "for i in $(seq 40); do besom log loss=$i; sleep 0.2; done", "${args}"]
method: grid
parameters: {x: {value: 1}}
""")
    agent = stack.start_agent(sweep, 1)
    wait_for(lambda: controller.value("besom_controller_open_attempts") == 1, 30, "the run is tracked")
    with psycopg2.connect(controller.option("--database-url")) as session, session.cursor() as cursor:
        cursor.execute("LOCK TABLE besom.metric_inbox IN EXCLUSIVE MODE")
        wait_for(lambda: controller.value(spooled) >= 1, 8, "an agent says that batches wait")
    assert agent.wait(60) == 0, stack.agent_text(1)
    wait_for(lambda: controller.value(spooled) == 0, 10, "nothing waits")
    assert stack.runs(sweep)[0]["metrics"]["loss"]["count"] == 40


def test_pages_of_the_port(services):
    port = services["scheduler"].port
    assert get(port, "/healthz") == (200, '{"live": true}\n')
    assert json.loads(get(port, "/readyz")[1]) == {"ready": True, "reasons": []}
    assert get(port, "/nothing")[0] == 404
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", data=b"x", timeout=10)
    assert refused.value.code == 405


def start_alone(tmp_path, *options):
    token = tmp_path / "token"
    token.write_text("a-token-for-services-0123\n")
    token.chmod(0o600)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BESOM_")}
    return subprocess.Popen(
        [os.path.join(BIN, "besom-scheduler"), "--database-url", "host=/nonexistent dbname=besom connect_timeout=1",
         "--service-token-file", str(token), "--listen", f"unix:{tmp_path}/s", *options], env=clean, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_readiness_says_why_not(tmp_path):
    port = free_ports(1)[0]
    process = start_alone(tmp_path, "--metrics-port", str(port), "--startup-wait", "1h")
    try:
        answer = wait_for(lambda: "/nonexistent" in get(port, "/readyz")[1] and get(port, "/readyz"), 30, "a reason")
        page = json.loads(answer[1])
        assert answer[0] == 503 and page["ready"] is False
        assert page["reasons"][0]["condition"] == "database" and "cannot connect" in page["reasons"][0]["reason"]
        assert get(port, "/healthz")[0] == 200
        assert "\nbesom_ready 0\n" in get(port, "/metrics")[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("options, code, word", [
    (("--metrics-address", "nowhere.example"), 2, "no IP address"), (("--log-format", "xml"), 2, "text or json")])
def test_wrong_options_are_told(tmp_path, options, code, word):
    process = start_alone(tmp_path, "--metrics-port", str(free_ports(1)[0]), *options)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code and word in errors.rstrip("\n").rsplit("\n", 1)[-1]


def test_a_taken_port_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start_alone(tmp_path, "--metrics-port", str(port))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 4 and f"port {port}" in errors.rstrip("\n").rsplit("\n", 1)[-1]


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alerts_fire_when_they_should():
    rules = "deploy/prometheus/besom.rules.yaml"
    assert "SUCCESS" in promtool("check", "rules", rules)
    promtool("test", "rules", "deploy/prometheus/besom.rules.test.yaml")
    with open(os.path.join(ROOT, rules)) as file, open(os.path.join(ROOT, rules.replace(".yaml", ".test.yaml"))) as tests:
        alerts, tested = re.findall(r"- alert: (\w+)", file.read()), tests.read()
    for alert in alerts:
        assert re.search(rf"alertname: {alert}\n +exp_alerts", tested), alert + " is never seen to fire"
        assert re.search(rf"alertname: {alert}\n(?! +exp_alerts)", tested), alert + " is never seen not to fire"


def test_queries_of_the_dashboard_are_valid(tmp_path):
    with open(os.path.join(ROOT, "deploy/grafana/besom.json")) as file:
        queries = [target["expr"] for panel in json.load(file)["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$job", "besom-.*")}
             for number, query in enumerate(queries)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert len(rules) > 50 and "SUCCESS" in promtool("check", "rules", file)
