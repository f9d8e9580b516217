"""Scores of a translation in a network's features, of its maps, its pairs and its pixels: each by hand or by another library."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from sklearn.linear_model import Ridge
from sklearn.metrics import confusion_matrix

import trainers.descriptors
from tests.trainers.judging import Flat, PixelThirds, Thirds, Tiny, as_file, grey, tiny_module
from tests.trainers.worlds import IMAGE, engine
from trainers.descriptors import cosine, mode_coverage, mode_kl, retrieval, separation
from trainers.distances import half_distances, pair_distances
from trainers.evaluation import How, evaluate
from trainers.features import NoFeatures, Shown, load_module
from trainers.label_maps import fcn_scores, tallies
from trainers.measures import ssim, unit
from trainers.pair_judge import correlation
from trainers.samples import CHUNK
from trainers.style import content, gram_sums, style

CPU = torch.device("cpu")
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5}


def scored(name, samples, how, show):
    of = engine(name)
    of.system.show = show
    return evaluate(of, samples, how)[0]


def given():
    module = tiny_module()
    return How(draws=2, features=module, gives=frozenset(module.gives(3, IMAGE)))


def test_ssim_is_scikit_image_s():
    drawn = np.random.default_rng(0)
    x = drawn.integers(0, 256, (4, 3, 40, 40))
    y = np.clip(x + drawn.integers(-60, 60, x.shape), 0, 255)
    x, y = (
        np.pad(pixels, ((0, 0), (0, 0), (10, 10), (10, 10))) for pixels in (x, y)
    )  # libraries mirror edges in two ways
    told = ssim(*(torch.from_numpy(pixels).float() / 127.5 - 1 for pixels in (x, y)))
    for i in range(4):
        _, places = structural_similarity(
            x[i] / 255, y[i] / 255, channel_axis=0, data_range=1.0, **GAUSSIAN, use_sample_covariance=False, full=True
        )
        assert float(told[i]) == pytest.approx(places.mean(), abs=1e-5), "of all places, those near the border too"


def test_fcn_scores_are_those_of_a_confusion_matrix():
    drawn = np.random.default_rng(1)
    truth, said = (
        drawn.integers(0, 4, (5, 6, 7)),
        drawn.integers(1, 5, (5, 6, 7)),
    )  # class 0 is never read, 4 is in no map
    told = fcn_scores(tallies(torch.from_numpy(said), torch.from_numpy(truth), 6).double())
    matrix = confusion_matrix(truth.ravel(), said.ravel(), labels=range(6))
    right, mapped, read = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    either = mapped + read - right
    assert told["pixel_accuracy"] == pytest.approx(right.sum() / matrix.sum())
    assert told["class_accuracy"] == pytest.approx((right[mapped > 0] / mapped[mapped > 0]).mean())
    assert told["class_iou"] == pytest.approx((right[either > 0] / either[either > 0]).mean())


def test_a_segmenter_s_scores_are_counted_over_all_pictures():
    corner = np.zeros((IMAGE, IMAGE), np.uint8)
    corner[: IMAGE // 2, : IMAGE // 2] = 255
    samples = Flat({"a": [0, 0], "b": [0, 0]}, label_maps={"a": [corner, corner]})
    how = How(task=PixelThirds(), pixel_classes=3)
    scores = scored("cyclegan", samples, how, lambda images: {"fake_b": torch.cat([grey(0, 1), grey(255, 1)])})
    # Class 0 has 3/4 of the pixels and is read in one picture of two; class 2 has the rest.
    assert scores["eval/pixel_accuracy"] == scores["eval/task_accuracy"] == 0.5
    assert scores["eval/class_accuracy"] == 0.5
    assert scores["eval/class_iou"] == pytest.approx((0.75 / 1.75 + 0.25 / 1.25) / 2)


def test_content_and_style_by_hand():
    x, y = (torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    layers = (x, 2 * x), (y, 3 * y)
    by_hand = ((x - y) ** 2).double().mean((1, 2, 3)) + ((2 * x - 3 * y) ** 2).double().mean((1, 2, 3))
    torch.testing.assert_close(content(*layers), by_hand)

    def gram(maps):
        return np.einsum("nchw,ndhw->ncd", maps.double(), maps.double()).mean(0) / (2 * 4 * 5)

    told = style(*(gram_sums(maps) / 3 for maps in layers))
    assert told == pytest.approx(sum(((gram(x) - gram(y)) ** 2).sum() for x, y in zip(*layers, strict=True)), rel=1e-9)


def test_a_translation_is_held_against_its_input_and_against_the_style_of_b():
    samples = Flat({"a": [0, 51, 102], "b": [255, 204]})
    kept = scored("cyclegan", samples, given(), lambda images: {"fake_b": images["a"]} if "a" in images else {})
    assert (kept["eval/content"], kept["eval/cosine"]) == (0.0, 1.0)
    assert kept["eval/separation"] == 0.0
    assert kept["eval/collapse"] == pytest.approx((0.2 + 0.2 + 0.4) / 3 / 0.2, rel=1e-5)
    levels = torch.cat([grey(255, 1), grey(204, 1), grey(204, 1)])
    moved = scored("cyclegan", samples, given(), lambda images: {"fake_b": levels})
    assert moved["eval/separation"] == 1.0
    apart = np.array([1.0, 0.6, 0.4])
    assert moved["eval/content"] == pytest.approx(((1 + 4) * apart**2).mean(), rel=1e-5)
    # A flat picture's Gram matrix has g^2 / 3 in all 9 places, of the second layer 4 times as much.
    squares = [np.mean(np.square(values)) for values in ([1, 0.8, 0.8], [1, 0.8])]
    assert moved["eval/style"] == pytest.approx((1 + 16) * (squares[0] - squares[1]) ** 2, rel=1e-4)


def test_what_a_module_weighs_as_lpips_is_a_squared_distance():
    samples = Flat({"a": [0, 0], "b": [0, 255]}, truth=True)
    scores = scored("pix2pix", samples, given(), lambda images: {"fake_b": grey(51, 2)})
    assert scores["eval/lpips[tiny]"] == pytest.approx((4 * 0.2**2 + 4 * 0.8**2) / 2, rel=1e-5)


def test_cosine_separation_and_retrieval(monkeypatch):
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    assert cosine(x, x[[0, 2, 2]]) == pytest.approx((1 + 0.5**0.5 + 1) / 3)
    assert retrieval(x, x * 7) == 1.0
    assert retrieval(x, x[[0, 2, 1]]) == pytest.approx(1 / 3)
    monkeypatch.setattr(trainers.descriptors, "BLOCK", 2)
    assert retrieval(x, x * 7) == 1.0, "in blocks"
    assert retrieval(x, x[[0, 2, 1]]) == pytest.approx(1 / 3)
    drawn = np.random.default_rng(3)
    a, b, made = drawn.normal(0, 1, (30, 4)), drawn.normal(1, 1, (30, 4)), drawn.normal(0.5, 1, (50, 4))
    rows, sides = np.concatenate([a, b]), np.repeat([-1.0, 1.0], 30)
    theirs = Ridge(alpha=1e-9).fit(rows, sides)
    told = separation(*(torch.from_numpy(side) for side in (a, b, made)))
    assert told == pytest.approx((theirs.predict(made) > 0).mean(), abs=0.03)


def test_separation_weighs_both_domains_alike():
    few, many = torch.tensor([[0.0], [0.2]]), torch.linspace(0.9, 1.1, 40)[:, None]
    made = torch.tensor([[0.4], [0.7]])
    assert separation(few, many, made) == separation(few, many[::20], made) == 0.5


def test_modes_that_are_missed_and_modes_that_come_too_often():
    def read(*classes):
        return torch.nn.functional.one_hot(torch.tensor(classes), 5).float()

    assert mode_coverage(read(0, 0, 1), read(0, 1, 2, 2)) == pytest.approx(2 / 3)
    assert mode_kl(read(0, 0, 1), read(0, 1, 2, 2)) == pytest.approx(2 / 3 * np.log(8 / 3) + 1 / 3 * np.log(4 / 3))
    assert mode_kl(read(0, 1, 2, 2), read(0, 1, 2, 2)) == 0.0
    assert mode_kl(read(3), read(0, 1)) is None, "infinite"


def test_distances_through_a_translation():
    drawn = np.random.default_rng(4)
    pixels = drawn.integers(0, 256, (CHUNK + 3, IMAGE, IMAGE, 3), np.uint8)

    class Noise(Flat):
        def image(self, domain, index):
            return pixels[index]

    samples = Noise({}, count=len(pixels))
    darker = scored("cyclegan", samples, How(), lambda images: {"fake_b": (images["a"] + 1) / 2 - 1})
    assert darker["eval/distance_correlation"] > 0.99
    assert darker["eval/distance_correlation_halves"] > 0.99
    assert darker["eval/collapse"] == pytest.approx(0.5, abs=0.01)
    alike = scored("cyclegan", samples, How(), lambda images: {"fake_b": images["a"] * 0})
    assert alike["eval/collapse"] == 0.0
    assert "eval/distance_correlation" not in alike, "nothing varies"
    made: dict[int, torch.Tensor] = {}

    def turned(images):
        made[len(made)] = images["a"].flip(2) * images["a"][:, :1]
        return {"fake_b": made[len(made) - 1]}

    told = scored("cyclegan", samples, How(), turned)
    images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1).split(CHUNK)
    x, y = (torch.cat([pair_distances(unit(part)) for part in parts]) for parts in (images, made.values()))
    assert told["eval/distance_correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-6)
    x, y = (torch.cat([half_distances(unit(part), "width") for part in parts]) for parts in (images, made.values()))
    assert told["eval/distance_correlation_halves"] == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-6)
    assert correlation(x, x * 2 + 1) == pytest.approx(1.0)


def test_a_module_sees_its_size_its_range_and_its_channels():
    seen = Shown(image=8, low=0.0, high=255.0).to_module(grey(100.4, 2)[:, :1])
    assert seen.shape == (2, 3, 8, 8)
    assert seen.numpy() == pytest.approx(100.0, abs=1e-3), "as it would be saved"
    assert torch.equal(Shown().to_module(grey(7, 1)), grey(7, 1))


class Other(torch.nn.Module):
    def __init__(self, give):
        super().__init__()
        self.give = give

    def forward(self, x):
        return self.give(x)


@pytest.mark.parametrize(
    ("give", "text"),
    [
        (lambda x: x.mean(), "tiny gives features of shape [] for 2 pictures, not [2,...]"),
        (lambda x: {"logits": x.mean((2, 3))}, "tiny gives no features among logits"),
        (
            lambda x: {"features": x.mean((2, 3)), "last": x.mean(1)},
            "tiny gives last that is no [N,C,H,W] of maps of features",
        ),
        (
            lambda x: (x.mean((2, 3)), x),
            "tiny gives a tuple, not features [N,F] or a dict of features, logits, lpips and maps",
        ),
    ],
)
def test_a_module_that_gives_something_else_is_refused(give, text):
    with pytest.raises(NoFeatures) as caught:
        tiny_module(Other(give)).gives(3, IMAGE)
    assert str(caught.value) == text


def test_a_module_that_takes_something_else_and_a_file_that_is_none_are_refused():
    five = load_module(as_file(torch.nn.Conv2d(3, 2, 3)), "five", Shown(channels=5), CPU)
    with pytest.raises(NoFeatures, match=r"^five does not take float \[N,5,32,32\]: "):
        five.gives(1, IMAGE)
    with pytest.raises(
        NoFeatures, match=r"^net is no TorchScript file \(.+\); torch.jit.trace\(network, example\).save\(PATH\) makes"
    ):
        load_module(b"\x00" * 100, "net", Shown(), CPU)


def test_a_plain_tensor_is_features_alone_and_computed_the_same_every_time():
    module = tiny_module(Other(lambda x: Tiny()(x)["features"]))
    assert module.gives(1, 16) == {"features": 4}
    pictures = torch.rand(4, 3, 16, 16) * 2 - 1
    looks = [module.look(pictures, ()).rows["features"] for _ in range(4)]
    assert all(torch.equal(look, looks[0]) for look in looks)
    assert torch.allclose(looks[0], Thirds().features(unit(pictures) * 2 - 1), atol=1e-6)
