"""What the other tests show on a CPU holds on a GPU too. They run where there is one, and are skipped by name elsewhere."""

import os

import pytest
import torch

from tests.trainers.worlds import STEPS, VARIANTS, engine, state_digest, state_of, variant
from trainers.replica import to_device
from trainers.state import load_state

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix is multiplied
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
CUDA = "cuda:0"
ROUNDING = 2e-3  # relative, of a first step's terms: other sums, other instructions
EACH_VARIANT = pytest.mark.parametrize("name", VARIANTS)


@pytest.fixture(autouse=True)
def exact():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def played(of, steps=STEPS):
    for _ in range(steps):
        of.step(report=True)
    return of


@EACH_VARIANT
def test_the_same_training_comes_to_the_same_bytes(name):
    assert state_digest(played(variant(name, device=CUDA))) == state_digest(played(variant(name, device=CUDA)))


@EACH_VARIANT
def test_a_training_goes_on_from_its_state_to_the_byte(name):
    half = played(variant(name, device=CUDA), STEPS // 2)
    kept = {key: value.cpu() for key, value in state_of(half).items()}
    other = variant(name, device=CUDA)
    load_state(other, kept)
    assert state_digest(played(other, STEPS - STEPS // 2)) == state_digest(played(half, STEPS - STEPS // 2))


@pytest.mark.parametrize(
    "name", ["cyclegan", "classifier", "segmenter", "regressor"]
)  # no noise: a GPU draws other numbers
def test_a_first_step_sees_what_a_cpu_sees(name):
    there, here = played(variant(name, device=CUDA), 1).ledger.means(), played(variant(name), 1).ledger.means()
    assert there == pytest.approx(here, rel=ROUNDING, abs=1e-4, nan_ok=True)


def test_cuda_graphs_change_no_bit():
    """What a pass gives is overwritten by the next step's: nothing may be read that late."""
    system, hyper, how = VARIANTS["pix2pix-compiled-lp"]
    assert how["graphs"]
    without = engine(system, hyper=hyper, device=CUDA, compiled=True)
    assert state_digest(played(without)) == state_digest(played(variant("pix2pix-compiled-lp", device=CUDA)))


def test_a_batch_on_its_way_is_not_overwritten():
    """Pinned memory is given out again only after its copy."""
    device = torch.device(CUDA)
    batches = [torch.full((64, 256, 256, 3), fill % 251, dtype=torch.uint8).numpy() for fill in range(300)]
    there = [to_device(batch, device)[::16, ::64, ::64] for batch in batches]
    assert all(bool((values == fill % 251).all()) for fill, values in enumerate(there))
