# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the cluster test: Besom's, built from this tree, and stand-ins for other people's; as archives for containerd.

They are kept in a store below the cache, so that the next test builds only what changed. BESOM_CLUSTER_IMAGES names a prefix,
such as localhost/besom, of images that the store (BESOM_IMAGES_STORE) has already: then none of Besom is built;
BESOM_CLUSTER_IMAGES_BEFORE names those that the upgrade comes from.
"""
import contextlib
import os
import shutil

from conftest import CACHE, ROOT, bare_system, release, run
from imagestore import Store

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = ("controller", "suggestion", "scheduler", "cli", "agent")
STAND_INS = ("database", "training")
PREFIX = "localhost/besom-test"
TAGS = ("old", "new")
BASE = f"{PREFIX}/base:own"


def default_cache():
    return os.environ.get("BESOM_CLUSTER_CACHE", os.path.join(CACHE, "cluster"))


@contextlib.contextmanager
def store():
    os.environ.setdefault("BESOM_IMAGES_STORE", os.path.join(default_cache(), "images"))
    with Store() as opened:
        yield opened


def copy_of_tree(folder):
    """The files as they are now: an edit between two targets would build everything again."""
    shutil.rmtree(folder, ignore_errors=True)
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if os.path.lexists(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(folder, name), follow_symlinks=False)
    return folder


def build(opened, folder, target, file):
    opened.build(f"{PREFIX}/{target}:new", "--build-arg", f"BASE={BASE}", "--target", target, "--file", os.path.join(folder, file),
                 folder=folder)


def build_stand_ins(opened):
    folder = os.path.join(opened.folder, "stand-ins")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "images"), folder)
    shutil.copy2(os.path.join(ROOT, "tests", "faults", "point.py"), folder)
    for name in STAND_INS:
        build(opened, folder, name, "Containerfile")


def build_own(opened):
    tree = copy_of_tree(os.path.join(opened.folder, "tree"))
    for name in SERVICES:
        build(opened, tree, name, "deploy/container/Containerfile")
    shutil.rmtree(tree)


def make(opened, path):
    """An archive of all, Besom's with both tags, which are the same programs unless an older release is named."""
    if opened.call("podman", "image", "exists", BASE, check=False).returncode != 0:
        opened.import_system(BASE, bare_system("bookworm-minbase" if release() == "bookworm" else "minbase", release()))
    build_stand_ins(opened)
    given, before = (os.environ.get(name) for name in ("BESOM_CLUSTER_IMAGES", "BESOM_CLUSTER_IMAGES_BEFORE"))
    if not given:
        build_own(opened)
    for name in SERVICES:
        if given:
            opened.podman("tag", f"{given}/{name}", f"{PREFIX}/{name}:new")
        opened.podman("tag", f"{before}/{name}" if before else f"{PREFIX}/{name}:new", f"{PREFIX}/{name}:old")
    names = [f"{PREFIX}/{name}:{tag}" for name in SERVICES for tag in TAGS] + [f"{PREFIX}/{name}:new" for name in STAND_INS]
    opened.podman("save", "--quiet", "--multi-image-archive", "--output", path, *names, inside=False)


def make_pause(opened, programs, path):
    """An archive of the image whose process holds a pod's network."""
    name = f"{PREFIX}/pause:own"
    recipe = opened.write("pause", 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n')
    opened.build(name, "--file", recipe, folder=programs)
    opened.podman("save", "--quiet", "--format", "docker-archive", "--output", path, name, inside=False)
