# SPDX-License-Identifier: GPL-3.0-or-later
"""The services as an operator runs them, on a database elsewhere: two controllers, each with its agents."""
import os
import secrets
import subprocess

import localstack

CONTROLLERS = 2


class Services(localstack.LocalStack):
    """Ends with no process left, as `besom up` does."""

    def __init__(self, url, **settings):
        super().__init__(BESOM_LOG_LEVEL="debug", **settings)
        self.url = url
        self.services = []
        self.tokens = {name: self.secret(name) for name in ("admin", "service")}
        self.environment.update(BESOM_ADDRESS=self.address("controller-0"), BESOM_TOKEN=localstack.read_bytes(
            self.tokens["admin"]).decode())

    def secret(self, name):
        path = self.write(f"{name}.token", secrets.token_hex(16))
        os.chmod(path, 0o600)
        return path

    def address(self, name):
        return f"unix:{self.home}/{name}.sock"

    def spawn(self, name, program, *arguments):
        environment = {key: value for key, value in self.environment.items() if key not in ("BESOM_TOKEN", "BESOM_ADDRESS")}
        environment["BESOM_DATABASE_URL"] = self.url
        with open(os.path.join(self.home, name + ".log"), "ab") as log:
            self.services.append(subprocess.Popen(
                [os.path.join(localstack.BIN, program), "--listen", self.address(name), "--service-token-file",
                 self.tokens["service"], *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def up(self):
        subprocess.run([os.path.join(localstack.BIN, "besom-controller"), "migrate", "--database-url", self.url],
                       check=True, capture_output=True, text=True, timeout=60)
        self.spawn("suggestion", "besom-suggestion")
        self.spawn("scheduler", "besom-scheduler")
        for number in range(CONTROLLERS):
            self.spawn(f"controller-{number}", "besom-controller", "--token-file", self.tokens["admin"],
                       "--suggestion-address", self.address("suggestion"), "--scheduler-address", self.address("scheduler"))
        localstack.wait_for(lambda: self.command("ls", check=False).returncode == 0, 60, "a controller that serves")

    def start_agent(self, sweep, number=0, *arguments):
        return super().start_agent(sweep, number, "--address", self.address(f"controller-{number % CONTROLLERS}"), "--log-file",
                                   os.path.join(self.home, f"agent-{number}.events"), "--run-dir",
                                   os.path.join(self.home, "runs"), *arguments)

    def query(self, *arguments):
        return self.json(*arguments)

    def close(self):
        localstack.end(self.services)
        super().close()
