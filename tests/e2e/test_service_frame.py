# SPDX-License-Identifier: GPL-3.0-or-later
"""What every service does around its own work: options, secrets, waiting for the database, signals."""
import os
import signal
import subprocess
import time

import pytest

BIN = os.environ.get("BESOM_BIN", os.path.abspath("build/dev/bin"))
TOKEN = "a-token-for-services-0123"
NOWHERE = "host=/nonexistent dbname=besom connect_timeout=1"

pytestmark = pytest.mark.parametrize("name", ["besom-suggestion", "besom-scheduler"])


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def environment(**settings):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BESOM_")}
    return {**clean, **settings}


def start(name, *arguments, **settings):
    return subprocess.Popen([os.path.join(BIN, name), *map(str, arguments)], text=True, env=environment(**settings),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(name, *arguments, **settings):
    """Exit code, output, errors."""
    process = start(name, *arguments, **settings)
    out, errors = process.communicate(timeout=30)
    assert TOKEN not in out + errors
    return process.returncode, out, errors


def last_line(text):
    return text.rstrip("\n").rsplit("\n", 1)[-1]


def await_line(process, word):
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"no {word}")


def test_help_names_every_option(name):
    code, out, _ = run(name, "--help")
    assert code == 0
    for option in ("--listen", "--database-url", "--service-token-file", "--tls-cert-file", "--drain-time", "stdio"):
        assert option in out
    assert "BESOM_DATABASE_URL" in out


def test_version(name):
    code, out, _ = run(name, "--version")
    assert code == 0 and out.startswith(name + " ")


@pytest.mark.parametrize("arguments", [["--listem", "x"], ["--pool-size", "none"], ["--pool-size", "0"],
                                       ["--log-level", "loud"], ["extra"], ["--config", "/nonexistent/file"]])
def test_wrong_options_are_told_in_one_line(name, arguments):
    code, out, errors = run(name, *arguments)
    assert code in (2, 3) and out == ""
    assert errors.startswith(name + ": ") and errors.count("\n") == 1


def test_options_come_from_a_file_too(name, tmp_path):
    file = tmp_path / "service.conf"
    file.write_text("# of this test\nlog-level = loud\n")
    code, _, errors = run(name, "--config", file)
    assert code == 2 and "loud" in errors
    code, _, errors = run(name, "--config", file, "--log-level", "info")
    assert "no database" in errors


def test_a_database_must_be_named(name, token_file):
    code, _, errors = run(name, "--service-token-file", token_file)
    assert code == 2 and "--database-url" in last_line(errors)


@pytest.mark.parametrize("mode, content, code, word", [
    (0o604, TOKEN, 5, "chmod 600"), (0o622, TOKEN, 5, "chmod 600"), (0o600, "short", 2, "characters"),
    (0o600, "", 2, "empty"), (0o600, TOKEN + " " + TOKEN, 2, "one word")])
def test_a_token_file_that_is_wrong_is_refused(name, token_file, mode, content, code, word):
    token_file.write_text(content)
    token_file.chmod(mode)
    exit_code, _, errors = run(name, "--database-url", NOWHERE, "--service-token-file", token_file)
    assert exit_code == code and word in last_line(errors)


def test_a_missing_token_file_is_told(name):
    code, _, errors = run(name, "--database-url", NOWHERE, BESOM_SERVICE_TOKEN_FILE="/nonexistent/token")
    assert code == 3 and "/nonexistent/token" in last_line(errors)


def test_plain_tcp_must_be_asked_for(name, token_file):
    code, _, errors = run(name, "--database-url", NOWHERE, "--service-token-file", token_file,
                          "--listen", "127.0.0.1:0")
    assert code == 2 and "--insecure" in last_line(errors)


@pytest.mark.parametrize("arguments, word", [(["--tls-cert-file", "x"], "--tls-key-file"),
                                             (["--tls-client-ca-file", "x"], "--tls-cert-file")])
def test_tls_options_go_together(name, token_file, arguments, word):
    code, _, errors = run(name, "--database-url", NOWHERE, "--service-token-file", token_file, *arguments)
    assert code == 2 and word in last_line(errors)


def test_it_gives_up_on_a_database_that_never_comes(name, token_file, tmp_path):
    code, _, errors = run(name, "--database-url", NOWHERE, "--service-token-file", token_file, "--startup-wait", "0",
                          "--listen", f"unix:{tmp_path}/s")
    assert code == 4 and last_line(errors).startswith(name + ": ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_the_database(name, token_file, tmp_path, number):
    process = start(name, "--database-url", NOWHERE, "--service-token-file", token_file, "--startup-wait", "1h",
                    "--listen", f"unix:{tmp_path}/s")
    await_line(process, "waiting_for_database")
    begun = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 0 and time.monotonic() - begun < 15


def test_healthcheck_tells_that_nobody_is_there(name, tmp_path):
    code, _, errors = run(name, "--healthcheck", "--listen", f"unix:{tmp_path}/nobody")
    assert code == 4 and errors.startswith(name + ": unix:")
