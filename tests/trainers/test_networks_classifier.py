"""The networks that judge what others made."""

import pytest
import torch
import torch.nn.functional as F

from trainers.networks.classifier import Classifier, Segmenter


def trained(network, images, truth):
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        F.cross_entropy(network(images), truth).backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("side", [8, 9, 28, 33])
def test_images_of_any_side(side):
    image = torch.randn(2, 3, side, side)
    with torch.no_grad():
        classifier, segmenter = Classifier(3, 5, 4), Segmenter(3, 5, 4)
        assert classifier(image).shape == (2, 5)
        assert segmenter(image).shape == (2, 5, side, side)
        assert classifier.features(image).shape == segmenter.features(image).shape == (2, 16)


def test_a_classifiers_features_are_what_its_last_layer_sees():
    classifier, image = Classifier(1, 5, 4), torch.randn(2, 1, 16, 16)
    assert torch.equal(classifier(image), classifier.last(classifier.features(image)))


# Plain grey levels: what an instance norm before the pooling could not tell apart.
def test_a_classifier_learns_brightness():
    levels = torch.linspace(-1.0, 1.0, 12)
    images = levels.reshape(12, 1, 1, 1) + 0.1 * torch.randn(12, 1, 8, 8)
    truth = (levels > 0).long()
    assert torch.equal(trained(Classifier(1, 2, 4), images, truth).forward(images).argmax(1), truth)


def test_a_segmenter_learns_where_a_square_is():
    truth = torch.zeros(4, 12, 12, dtype=torch.long)
    for i, (row, column) in enumerate([(1, 1), (6, 2), (3, 7), (7, 7)]):
        truth[i, row : row + 4, column : column + 4] = 1
    images = truth[:, None] * 1.0 + 0.2 * torch.randn(4, 1, 12, 12)
    said = trained(Segmenter(1, 2, 4), images, truth).forward(images).argmax(1)
    assert (said == truth).float().mean() > 0.98


def test_features_tell_images_apart():
    images = torch.stack([torch.zeros(3, 16, 16), torch.randn(3, 16, 16)])
    for network in (Classifier(3, 2, 8), Segmenter(3, 2, 8)):
        with torch.no_grad():
            one, two = network.features(images)
        assert (one - two).norm() > 0.1
