"""A small data set for the sweeps that are disturbed, and the record of how they took it."""

import os

import pytest

from data_shards.build.openmoji import build_openmoji
from tests.chaos.recorder import ROOT, VARIABLE, record
from tests.chaos.sweeps import Sweep, undisturbed

_moments = pytest.StashKey[list[tuple[bool, list[dict[str, object]]]]]()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """60 pairs of OpenMoji at 32 pixels."""
    folder = tmp_path_factory.mktemp("pictures") / "openmoji"
    build_openmoji(str(folder), size=32, limit=60)
    return folder


@pytest.fixture(scope="session")
def wanted(tmp_path_factory, pictures):
    """The digests of a search of two trials that nobody disturbs; the first is also that of a single run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sweep = Sweep(folder, {}, str(folder / "runs"))
    sweep.write(pictures, trials=2)
    return undisturbed(sweep, trials=2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember what a test of this folder killed, and whether it passed."""
    report = yield
    moments = [value for name, value in item.user_properties if name == "moments"]
    if call.when == "call" and moments:
        item.config.stash.setdefault(_moments, []).extend((report.passed, found) for found in moments)
    return report


def pytest_sessionfinish(session):
    """Write the table, where it was asked for."""
    results = session.config.stash.get(_moments, [])
    if results and os.environ.get(VARIABLE):
        record(results, ROOT / os.environ[VARIABLE])
