# SPDX-License-Identifier: GPL-3.0-or-later
"""A container store of its own for one test: images built, containers run in a network of their own, and nothing left."""
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile

from conftest import ROOT
from localstack import processes, read_bytes, wait_for

PROGRAMS = ("podman", "podman-compose", "runc", "mmdebstrap", "iptables", "nsenter", "unshare")
NETWORK_PROGRAMS = ("netavark", "aardvark-dns")
CONTAINERFILE = os.path.join(ROOT, "deploy", "container", "Containerfile")
MONITORS = ("conmon", "aardvark-dns")
LIMIT_MAX = 16384

# What DATABASE_IMAGE does with its environment, of what the official image of PostgreSQL does
DATABASE_ENTRY = """\
#!/bin/sh
set -e
export PGDATA=/var/lib/postgresql/data/pgdata
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 "$PGDATA"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "create database \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c "listen_addresses=*" -c unix_socket_directories=/var/run/postgresql
"""
DATABASE_IMAGE = """\
FROM {base}
RUN apt-get update -q && apt-get install -y -q --no-install-recommends postgresql
COPY --chmod=755 entry /usr/local/bin/entry
RUN mkdir -p /var/lib/postgresql/data && chown postgres: /var/lib/postgresql/data /var/run/postgresql
USER postgres
ENTRYPOINT ["/usr/local/bin/entry"]
"""


def reason_to_skip():
    if not os.environ.get("BESOM_TEST_IMAGES"):
        return "builds images, which takes some minutes: set BESOM_TEST_IMAGES=1"
    if os.geteuid() != 0:
        return "containers are built and run as root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    missing += [name for name in NETWORK_PROGRAMS
                if not any(os.path.exists(f"/usr/{place}/{name}") for place in ("lib/podman", "libexec/podman", "bin"))]
    return f"not installed: {', '.join(missing)}" if missing else None


def limits():
    """Podman's own defaults can be more than a process without CAP_SYS_RESOURCE may give."""
    for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(kind)[1]
        most = LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, LIMIT_MAX)
        yield f'"{name}={most}:{most}"'


class Store:
    """podman with folders, locks and networks of its own, in a network namespace that ends with it.

    All is in a temporary folder but for the images if BESOM_IMAGES_STORE says where: they are then the cache of the next test."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="besom-images-")
        self.folder = os.path.abspath(os.environ.get("BESOM_IMAGES_STORE") or os.path.join(self.scratch, "store"))
        self.environment = dict(os.environ, CONTAINERS_CONF=self.write("containers.conf", self.containers_conf()),
                                CONTAINERS_STORAGE_CONF=self.write("storage.conf", self.storage_conf()),
                                BUILDAH_RUNTIME="runc", BUILDAH_ISOLATION="chroot")
        self.holder = None

    def containers_conf(self):
        return (f'[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
                f'tmp_dir = "{self.folder}/tmp"\n[network]\nnetwork_backend = "netavark"\n'
                f'network_config_dir = "{self.folder}/networks"\n[containers]\nlog_driver = "k8s-file"\n'
                f'default_ulimits = [{", ".join(limits())}]\n')

    def storage_conf(self):
        return f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n'

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.scratch, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # ends with us
        try:
            assert self.holder.stdout.readline() == "up\n"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.call("podman", "rm", "--all", "--force", "--time", "5", check=False)
            self.call("podman", "volume", "prune", "--force", check=False)
            self.call("podman", "network", "prune", "--force", check=False)
            wait_for(lambda: not self.left_behind(), 20, "processes of the store end")
        finally:
            self.holder.communicate()
            for pid in self.left_behind():
                os.kill(pid, signal.SIGKILL)
            self.unmount()
            shutil.rmtree(self.scratch)

    def left_behind(self):
        return [pid for pid, (_, name) in processes().items()
                if name in MONITORS and f"{self.folder}/".encode() in read_bytes(f"/proc/{pid}/cmdline")]

    def unmount(self):
        """Deepest first."""
        with open("/proc/self/mounts") as mounts:
            paths = [line.split()[1] for line in mounts]
        for path in sorted((path for path in paths if path.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", path], check=False)

    def call(self, *command, check=True, timeout=300, environment=(), inside=True, **options):
        """A command in the store's network; builds stay outside of it, because they install packages."""
        enter = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"] if inside else []
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        done = subprocess.run([*enter, *command], env={**self.environment, **dict(environment)}, text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        if check:
            assert done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def podman(self, *arguments, **options):
        return self.call("podman", *arguments, **options).stdout.strip()

    def build(self, name, *arguments, folder=ROOT):
        self.podman("build", "--quiet", "--format", "docker", "--tag", name, *arguments, folder, inside=False, timeout=1800)

    def build_text(self, name, text, **files):
        """An image from a Containerfile's text and the files that it copies."""
        context = f"context/{name.replace('/', '_').replace(':', '_')}"
        for file, content in files.items():
            self.write(f"{context}/{file}", content)
        self.write(f"{context}/Containerfile", text)
        self.build(name, folder=os.path.join(self.scratch, context))

    def import_system(self, name, tar):
        self.podman("import", "--quiet", tar, name, inside=False)

    def image(self, name):
        return json.loads(self.podman("image", "inspect", name))[0]

    def container(self, name):
        return json.loads(self.podman("container", "inspect", name))[0]

    def health(self, name):
        """(exit code of the check, what podman thinks of the container after it)"""
        code = self.call("podman", "healthcheck", "run", name, check=False).returncode
        state = self.container(name)["State"]
        return code, (state.get("Health") or state.get("Healthcheck"))["Status"]
