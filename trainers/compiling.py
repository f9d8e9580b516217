"""Networks that torch compiles: kernels that do several operations at once, made when a shape is first met.

What is compiled is the pass of a player's network as a whole, with its weights as they were; parameters, optimizers and the state
know nothing of it. Three things stay as they are, since a compiled pass would do them wrongly or too dearly:
- A gradient penalty differentiates twice. Compiled passes cannot, and on a CPU some say nothing and give a slope of zero.
- An evaluation sees other sizes of batches than a step, and each of them would be compiled by itself.
- A term of weight 0 runs without a graph, which is a compilation more, for nobody's gain.

On a GPU the kernels of a pass can be recorded once and then launched together, as CUDA graphs: small batches wait for launches
more than for arithmetic. What such a pass gives is overwritten when it is played again, so a step has to say where it begins.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

# What torch's own compiler makes torch warn of.
OF_TORCH = ("`torch.jit.script_method` is deprecated", "The .grad attribute of a Tensor that is not a leaf Tensor")
PASSES = 64  # of one network's code that may be compiled: by shape, by whether its input asks for a gradient


def compile_networks(networks: Iterable[nn.Module], graphs: bool = False) -> None:
    """Have the passes of networks compiled when they are first called, each for the shapes that come.

    The random numbers are those of the networks as they are written. Under torch's deterministic algorithms no kernel is chosen
    by a race, which another process could decide otherwise. graphs: have them launched as CUDA graphs, which does nothing on a
    CPU; every step must then begin with `begin_step`.
    """
    import torch._dynamo.config as dynamo
    import torch._functorch.config as functorch
    import torch._inductor.config as inductor

    for said in OF_TORCH:
        warnings.filterwarnings("ignore", message=said)
    dynamo.recompile_limit = PASSES
    functorch.donated_buffer = False  # a move of two losses goes back through one graph twice
    inductor.fallback_random = True
    inductor.deterministic = torch.are_deterministic_algorithms_enabled()
    inductor.cpp.threads = torch.get_num_threads()  # kernels are made for a number of threads, and kept under it
    inductor.compile_threads = 1  # processes of its own would outlive a trial that is killed
    for network in networks:
        network.compile(dynamic=False, options={"triton.cudagraphs": graphs})


def begin_step() -> None:
    """Give up what passes that are CUDA graphs have given: it is overwritten from here on."""
    torch.compiler.cudagraph_mark_step_begin()


def as_they_are() -> AbstractContextManager[object]:
    """Networks inside run as they are written, compiled or not."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and loading it takes a second
        return nullcontext()
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def seconds_spent() -> float:
    """How long this process has compiled so far."""
    if "torch._dynamo" not in sys.modules:
        return 0.0
    from torch._dynamo.utils import calculate_time_spent

    return float(calculate_time_spent()["total_wall_time"])
