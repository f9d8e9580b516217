"""Ways: what a user is given is what the system shows, and no picture's answer hangs on its company."""

import pytest
import torch

from tests.trainers import worlds
from trainers import randomness
from trainers.settled import alone, settled
from trainers.systems.catalog import SYSTEMS
from trainers.ways import between, ways_of

TRANSLATING = [
    *[
        (name, {})
        for name in worlds.TINY
        if name in SYSTEMS and name not in ("stargan", "classifier", "segmenter", "regressor")
    ],
    ("pix2pix", {"noise": 3}),
    ("pix2pix", {"norm": "batch"}),
    ("stargan", {"labels": "domain", "classes": None}),
    ("pix2pixhd", {"input": "label_map", "label_map": "labels"}),
]
FROM_NOISE = ("dcgan", "wgan", "began", "cogan", "cgan")


def pictures(domain: str, count: int) -> torch.Tensor:
    if domain == "labels":
        maps = [torch.from_numpy(worlds.label_map(i)).permute(2, 0, 1) for i in range(count)]
        return torch.stack(maps).float() / 127.5 - 1.0
    return torch.rand(count, 3, worlds.IMAGE, worlds.IMAGE, generator=torch.Generator().manual_seed(3)) * 2 - 1


def seed() -> None:
    randomness.seed_generators(torch.device("cpu"), "there")


@pytest.mark.parametrize(("name", "hyper"), TRANSLATING, ids=lambda value: str(value))
def test_a_way_makes_what_the_system_shows_to_the_bit_and_pictures_do_not_mix(name, hyper):
    system = worlds.build(name, **hyper)
    ways = [way for way in ways_of(system).values() if way.source]
    assert bool(ways) is (name not in (*FROM_NOISE, "stackgan"))
    for way in ways:
        given = pictures(way.source, 2)
        with torch.no_grad():
            seed()
            shown = system.show({way.source: given[:1]})[f"fake_{way.target}"]
            seed()
            codes = [way.draw(1)] if way.draw else []
            assert torch.equal(way.network(given[:1], *codes), shown)
            apart = alone(way.network).eval()
            together = apart(given, *[code.expand(2, -1) for code in codes])
            single = [apart(one, *codes) for one in given.split(1)]
            plain = way.network.eval()(given[:1], *codes)
        torch.testing.assert_close(together, torch.cat(single), rtol=0, atol=2e-5)
        torch.testing.assert_close(single[0], plain, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", FROM_NOISE)
def test_a_code_has_one_picture_whatever_is_drawn_with_it(name):
    for way in ways_of(worlds.build(name)).values():
        assert way.draw is not None
        network = settled(way)
        codes, labels = way.draw(5), [torch.eye(way.labels)[:1]] if way.labels else []
        with torch.no_grad():
            many = network(codes, *[label.expand(5, -1) for label in labels])
            torch.testing.assert_close(network(codes[3:4], *labels), many[3:4], rtol=0, atol=2e-5)
            asked = [torch.eye(way.labels)[torch.arange(500) % way.labels]] if way.labels else []
            seed()
            company = way.network(way.draw(500), *asked)
            seed()
            apart = network(way.draw(500), *asked)
        assert many.shape == (5, 3, worlds.IMAGE, worlds.IMAGE) and many.std(0).max() > 0
        assert (company - apart).abs().mean() < 0.1 * company.std(), (
            "the statistics kept are those of pictures in company"
        )


def test_a_walk_begins_and_ends_at_its_codes_and_stays_where_codes_lie():
    (normal, bounded) = (ways_of(worlds.build(name))["b"] for name in ("dcgan", "began"))
    first, last = torch.tensor([3.0, 0, 0, 0]), torch.tensor([0.0, 3, 0, 0])
    walked = between(normal, first, last, 5)
    torch.testing.assert_close(walked[[0, 4]], torch.stack([first, last]))
    torch.testing.assert_close(walked.norm(dim=1), torch.full((5,), 3.0)), "on the sphere"
    torch.testing.assert_close(between(bounded, first, last, 3)[1], torch.tensor([1.5, 1.5, 0, 0]))
    torch.testing.assert_close(between(normal, first, -first, 3)[1], torch.zeros(4))


def test_every_system_that_makes_pictures_has_a_way_but_those_of_texts():
    without = {name for name in SYSTEMS if not ways_of(worlds.build(name))}
    assert without == {"classifier", "segmenter", "regressor", "stackgan"}
