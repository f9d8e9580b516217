"""What every test of the training code stands on."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads are a part of a run's definition."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def one_seed():
    """A test that draws numbers draws the same ones every time."""
    torch.manual_seed(0)
