"""Fixtures of the system tests: clusters of Shoal in QEMU, with logs in build/test/system/TEST/."""
import os
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tools"), str(TOP / "tests" / "system")]

from shoalcluster import paths  # noqa: E402
from shoalcluster.client import Cluster  # noqa: E402

HANG_S = 300.0  # limits only detect hangs


@pytest.fixture
def logs(request):
    """Where this test's console logs and captures go."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", request.node.name).strip("_")
    folder = pathlib.Path(paths.build_folder(), "test", "system", pathlib.Path(request.node.fspath).stem, name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def start(logs):
    """start(**settings) -> Cluster, powered on; ended when the test ends. Settings as in shoalcluster.client.DEFAULTS."""
    started = []

    def begin(**settings):
        folder = tempfile.mkdtemp(prefix="shoal-t")
        where = logs if not started else logs / str(len(started))
        settings.setdefault("boot", "pvh")
        settings.setdefault("accel", "tcg")
        cluster = Cluster.up(folder=os.path.join(folder, "c"), attached=True, logs=str(where), **settings)
        started.append((cluster, folder))
        (where / "seed").write_text(f"seed {cluster.status()['seed']}\n")
        return cluster

    yield begin
    for cluster, folder in started:
        if os.path.exists(cluster.control_path()):
            print(f"seed {cluster.status()['seed']}")
            cluster.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def node(start):
    """node(**settings) -> a cluster of one."""
    return lambda **settings: start(nodes=1, **settings)


@pytest.fixture
def joined(start):
    """Three nodes that have become one cluster."""
    cluster = start(nodes=3)
    for number in (1, 2, 3):
        cluster.wait_shell(number, HANG_S)
    cluster.wait_quorum((1, 2, 3), HANG_S)
    return cluster
