# SPDX-License-Identifier: GPL-3.0-or-later
"""The local stack: up twice, deaths of its processes, down, other users, ports that are taken."""
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

from localstack import BIN, LocalStack, processes, wait_for

CHILDREN = ("postgres", "suggestion", "scheduler", "controller")
UP_S = 30


@pytest.fixture
def stack():
    with LocalStack() as running:
        yield running


@pytest.fixture
def idle():
    """A home where nothing was started."""
    stack = LocalStack()
    yield stack
    stack.close()


def home(stack, *names):
    return os.path.join(stack.environment["BESOM_HOME"], *names)


def read(stack, *names):
    with open(home(stack, *names)) as file:
        return file.read().strip()


def supervisor(stack):
    return int(read(stack, "lock"))


def children(stack):
    """name → pid of what the supervisor has started."""
    found = {}
    for pid, (parent, name) in processes().items():
        if parent == supervisor(stack):
            # the kernel keeps 15 characters of a name
            found.update({child: pid for child in CHILDREN if name in (child, f"besom-{child}"[:15])})
    return found


def is_alive(pid):
    return pid in processes()


def answers(stack):
    return stack.command("ls", "--json", "--timeout", "2s", check=False).returncode == 0


def test_up_says_where_and_keeps_secrets_to_itself(stack):
    assert read(stack, "endpoint").startswith("unix:")
    assert answers(stack)
    for name, mode in (("", 0o700), ("token", 0o600), ("service-token", 0o600), ("log", 0o700)):
        assert stat.S_IMODE(os.stat(home(stack, name)).st_mode) == mode, name
    assert set(children(stack)) == set(CHILDREN)
    for secret in ("token", "service-token"):
        for pid in [supervisor(stack), *children(stack).values()]:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                assert read(stack, secret).encode() not in file.read()
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout if shutil.which("ss") else ""
    assert not any(f"pid={pid}," in listening for pid in children(stack).values()), "TCP without being asked"


def test_second_up_finds_the_first(stack):
    before = children(stack)
    again = stack.command("up", "--detach")
    assert "Already running" in again.stdout and read(stack, "endpoint") in again.stdout
    assert children(stack) == before
    assert stack.command("up").returncode == 0, "in the foreground, too"


def test_two_ups_at_once_make_one_stack(idle):
    started = [subprocess.Popen([os.path.join(BIN, "besom"), "up", "--detach"], env=idle.environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sum("Serving" in text for text in said) == 1 and sum("Already running" in text for text in said) == 2


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_started_again(stack, name):
    victim = children(stack)[name]
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: children(stack).get(name, victim) != victim, UP_S, f"{name} is started again")
    wait_for(lambda: answers(stack), UP_S, "the stack answers again")
    assert is_alive(supervisor(stack))


def test_a_killed_supervisor_leaves_nothing_and_up_takes_up_again(stack):
    sweep = stack.create("method: grid\nprogram: train.py\nparameters: {x: {values: [1, 2]}}\n")
    was, alive = supervisor(stack), children(stack)
    os.kill(was, signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in alive.values()), UP_S, "the children end")
    gone = stack.command("ls", "--timeout", "2s", check=False)
    assert gone.returncode == 4 and gone.stderr.count("\n") == 1
    stack.up()
    assert supervisor(stack) != was
    assert [one["sweep_id"] for one in stack.json("ls")["sweeps"]] == [sweep]


def test_up_right_after_a_kill_waits_for_the_old_processes(stack):
    for _ in range(3):
        os.kill(supervisor(stack), signal.SIGKILL)
        stack.up()
        assert answers(stack)


def test_everything_killed_at_once_is_recovered(stack):
    alive = children(stack)
    os.kill(supervisor(stack), signal.SIGKILL)
    for pid in alive.values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    stack.up()
    assert answers(stack)


def test_a_stale_pid_file_of_another_boot_is_no_obstacle(stack):
    place = read(stack, "database-place") if os.path.exists(home(stack, "database-place")) else home(stack)
    stack.command("down")
    path = os.path.join(place, "postgres", "postmaster.pid")
    with open(path, "w") as file:
        file.write(f"{os.getpid()}\n{place}/postgres\n0\n5432\n/tmp\n\n  1  1\nready   \n")
    shutil.chown(path, *(("postgres", "postgres") if os.geteuid() == 0 else (os.geteuid(), os.getegid())))
    stack.up()
    assert answers(stack)


def test_down_leaves_nothing_and_may_be_repeated(stack):
    was, alive = supervisor(stack), children(stack)
    assert "Stopped" in stack.command("down").stdout
    assert not any(is_alive(pid) for pid in [was, *alive.values()])
    assert not stack.left_behind()
    assert not os.path.exists(home(stack, "endpoint"))
    assert not [name for name in os.listdir(home(stack, "run")) if name.endswith(".sock")]
    assert "Nothing is running" in stack.command("down").stdout


def test_foreground_up_ends_with_its_signal(idle):
    process = subprocess.Popen([os.path.join(BIN, "besom"), "up"], env=idle.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(home(idle, "endpoint")), UP_S, "it serves")
    process.send_signal(signal.SIGINT)
    assert process.wait(UP_S) == 0
    assert not idle.left_behind()


def test_taken_port_is_replaced_aloud(idle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = idle.command("up", "--detach", "--listen", address)
        other = read(idle, "listen")
        assert other != address
        assert f"{address} is taken: serving {other} instead" in done.stderr
        assert other in done.stdout
    token = home(idle, "token")
    remote = dict(idle.environment, BESOM_ADDRESS=other, BESOM_TOKEN_FILE=token)
    besom = os.path.join(BIN, "besom")
    refused = subprocess.run([besom, "ls"], env=remote, capture_output=True, text=True)
    assert refused.returncode == 5, "a token went over plain TCP without --insecure"
    assert subprocess.run([besom, "ls", "--insecure"], env=remote, capture_output=True).returncode == 0


def test_a_detached_stack_keeps_no_pipe_of_its_caller_open(idle):
    reader, writer = os.pipe()
    subprocess.run([os.path.join(BIN, "besom"), "up", "--detach"], env=idle.environment, stdin=subprocess.DEVNULL,
                   capture_output=True, pass_fds=[writer], check=True)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_tls_files_are_found_from_the_callers_folder(idle):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], cwd=idle.home, check=True,
                   capture_output=True)
    subprocess.run([os.path.join(BIN, "besom"), "up", "--detach", "--listen", "0", "--tls-cert-file", "cert.pem",
                    "--tls-key-file", "key.pem"], env=idle.environment, cwd=idle.home, check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
    remote = ["ls", "--address", read(idle, "listen"), "--token-file", home(idle, "token")]
    assert idle.command(*remote, "--ca-file", os.path.join(idle.home, "cert.pem")).returncode == 0
    assert idle.command(*remote, check=False).returncode == 5


def test_a_start_that_fails_says_why(idle):
    done = idle.command("up", "--detach", "--postgres-bin", "/nonexistent", check=False)
    assert done.returncode == 1
    assert "besom: cannot start: " in done.stderr and "PostgreSQL" in done.stderr
    assert not idle.left_behind()


@pytest.mark.parametrize("arguments, word", [
    (["--listen", "nonsense"], "HOST:PORT"),
    (["--listen", "127.0.0.1:99999"], "HOST:PORT"),
    (["--listen", "0.0.0.0:0"], "--insecure"),
    (["--tcp", "--tls-cert-file", "x"], "--tls-key-file"),
    (["--log-level", "loud"], "debug"),
    (["--detch"], "--detach"),
    (["argument"], "argument"),
])
def test_wrong_options_of_up(idle, arguments, word):
    done = idle.command("up", "--detach", *arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("besom: ") and done.stderr.count("\n") == 1 and word in done.stderr


def test_a_long_home_gets_short_sockets():
    stack = LocalStack()
    stack.environment["BESOM_HOME"] = os.path.join(stack.home, "x" * 60, "y" * 60)
    try:
        stack.up()
        assert answers(stack)
        assert not read(stack, "run-place").startswith(stack.home)
    finally:
        stack.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_plain_user_has_a_stack_too():
    folder = tempfile.mkdtemp(prefix="besom-user-")
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    environment = {"BESOM_HOME": os.path.join(folder, "besom"), "PATH": os.environ["PATH"], "HOME": folder}

    def besom(*arguments):
        return subprocess.run(["runuser", "-u", "nobody", "--", os.path.join(BIN, "besom"), *arguments],
                              env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)

    try:
        up = besom("up", "--detach")
        assert up.returncode == 0, up.stderr
        assert besom("ls", "--json").stdout.strip() == '{"sweeps":[]}'
        assert os.stat(os.path.join(folder, "besom", "postgres")).st_uid == user.pw_uid
    finally:
        down = besom("down")
        shutil.rmtree(folder, ignore_errors=True)
    assert down.returncode == 0, down.stderr


def test_another_users_home_is_refused(idle):
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    os.mkdir(home(idle), 0o777)
    os.chown(home(idle), pwd.getpwnam("nobody").pw_uid, -1)
    done = idle.command("up", "--detach", check=False)
    os.chown(home(idle), 0, -1)
    assert done.returncode == 5 and "another user" in done.stderr
