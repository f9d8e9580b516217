"""Which checkpoints count and which stay, over listings that nobody had to write to a disk."""

import random

import pytest

from cluster.checkpoints.retention import Listing, Marker, Place, parse_marker, parse_place, staying
from cluster.run import Keep
from data_shards.store import Entry
from trainers.checkpoint import MANIFEST, STATE

ENTRY = Entry(1)


def listing(committed, markers=(), torn=()):
    entries = {f"c/{place.folder}/{name}": ENTRY for place in committed for name in (MANIFEST, STATE)}
    entries |= {f"c/{place.folder}/{STATE}": ENTRY for place in torn}
    entries |= {f"c/{Marker(*marker).name}": ENTRY for marker in markers}
    return Listing.of("c/", entries)


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        (Place(40), "step-00000040"),
        (Place(40, 3), "step-00000040-a0003"),
        (Place(1_234_567_890, 12_345), "step-1234567890-a12345"),
    ],
)
def test_a_folder_is_named_by_step_and_attempt(place, folder):
    assert place.folder == folder
    assert parse_place(folder) == place


@pytest.mark.parametrize(
    "folder",
    [
        "step-40",
        "step-00000040.bak",
        "step-00000040-a0000",
        "step-00000040-a3",
        "step-000000040",
        "old-step-00000040",
        "",
    ],
)
def test_other_names_are_none_of_ours(folder):
    assert parse_place(folder) is None
    assert Listing.of("c/", {f"c/{folder}/{MANIFEST}": ENTRY}).files == {}


def test_markers_are_read_where_they_lie():
    marker = Marker(3, 20)
    assert (marker.name, parse_marker(marker.name)) == ("attempt-0003-from-00000020", marker)
    deeper = {f"c/notes/{marker.name}": ENTRY, f"c/{marker.name}/x": ENTRY, "c/attempt-3-from-20": ENTRY}
    assert Listing.of("c/", deeper).markers == ()
    assert Listing.of("c/", {f"c/{marker.name}": ENTRY}).markers == (marker,)


def test_what_an_earlier_attempt_committed_counts_up_to_where_a_later_one_went_on():
    places = [Place(20), Place(40), Place(60, 2), Place(80, 2), Place(100, 2), Place(100, 3)]
    found = listing(places, [(0, 0), (2, 40), (3, 80)], torn=[Place(120, 2)])
    assert found.valid == [Place(20), Place(40), Place(60, 2), Place(80, 2), Place(100, 3)]
    assert found.superseded == [Place(100, 2)]
    assert found.torn == [Place(120, 2)]
    assert found.later(2) == Marker(3, 80)
    assert found.later(3) is None
    assert listing(places, [(5, 0)]).valid == [], "it began at the beginning: nothing before it counts"


class World:
    """Attempts at one run that never end: each new one starts while all others live, and any of them may commit."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.stored = {}  # place -> the attempt that trained each of its steps
        self.markers = []
        self.living = []  # (attempt, the same of the state in its memory)

    def begin(self):
        found = listing(self.stored, self.markers).valid
        # The newest, or an older one where the newest is damaged.
        place = found[-self.random.choice([1, 1, 1, 2]) :][0] if found else None
        lineage = self.stored[place] if place is not None else ()
        self.markers.append((len(self.living) + 1, len(lineage)))
        self.living.append((len(self.living) + 1, lineage))

    def train(self, index):
        attempt, lineage = self.living[index]
        lineage += (attempt,) * self.random.randint(1, 3)
        self.living[index] = (attempt, lineage)
        if self.random.random() < 0.7:
            self.stored[Place(len(lineage), attempt)] = lineage


@pytest.mark.parametrize("seed", range(60))
def test_no_reader_ever_sees_a_training_that_did_not_take_place(seed):
    world = World(seed)
    for _ in range(60):
        if not world.living or world.random.random() < 0.15:
            world.begin()
        world.train(world.random.randrange(len(world.living)))
        attempt, lineage = world.living[-1]
        for place in listing(world.stored, world.markers).valid:
            assert world.stored[place] == lineage[: place.step], f"{place} is no part of what attempt {attempt} trained"


def test_the_last_ones_and_the_best_ones_stay():
    places = [Place(step) for step in (10, 20, 30, 40, 50)]
    scores = {Place(10): 0.5, Place(20): 0.25, Place(30): 0.25, Place(40): 0.75}
    keeps = {
        Keep(last=2): {40, 50},
        Keep(last=1): {50},
        Keep(last=0): {50},
        Keep(last=9): {10, 20, 30, 40, 50},
        Keep(last=1, best=1): {20, 50},
        Keep(last=1, best=2): {20, 30, 50},
        Keep(last=1, best=3): {10, 20, 30, 50},
        Keep(last=1, best=1, mode="max"): {40, 50},
        Keep(last=2, best=1, mode="max"): {40, 50},
    }
    for keep, steps in keeps.items():
        assert {place.step for place in staying(places, keep, scores, 50)} == steps, keep
    assert staying([], Keep(best=1), {}, 50) == set()


def test_steps_are_counted_and_not_attempts():
    places = [Place(20), Place(40, 1), Place(40, 2), Place(60, 2)]
    assert staying(places, Keep(last=2), {}, 60) == {Place(40, 1), Place(40, 2), Place(60, 2)}
    scores = {Place(20): 0.1, Place(40, 1): 0.2, Place(40, 2): 0.2, Place(60, 2): 0.9}
    assert staying(places, Keep(last=1, best=2), scores, 60) == set(places)


def test_what_lies_above_the_latest_stays():
    places = [Place(10), Place(20), Place(30), Place(90)]
    assert staying(places, Keep(last=1), {}, 20) == {Place(20), Place(30), Place(90)}
