"""What a run's bits depend on besides its sweep file: recorded in every checkpoint, compared when a run goes on.

A run that goes on under other conditions still trains, but it is not the run it was: its digest could be compared with
nothing. So that is refused unless it was asked for (`submit --allow-inexact`), and told for ever after.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from cluster.processor import LACKS_BF16, bf16_units, compiler, lacks_compiler
from cluster.run import Run

# Packages whose arithmetic ends up in the weights: of networks, of augmentation, of decoding.
PACKAGES = ("torch", "numpy", "pillow", "simplejpeg")


# Environment variables by which the libraries below torch choose their kernels, whatever torch itself was told.
LIBRARIES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS")


class OtherConditions(ValueError):
    """A run, or the checkpoint it would go on from, asks for conditions that this process does not have."""


def conditions(run: Run, device: str) -> dict[str, str]:
    """Name -> value of everything that the bits of `run` depend on here. device: as torch names it, such as "cpu".

    Raises OtherConditions where the processor has not the instruction set that the run asks for, or computes in bf16 by hand.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    if run.cpu_capability not in ("auto", capability.lower()):
        raise OtherConditions(
            f"resources.cpu_capability: {run.cpu_capability} was asked for, and torch has {capability.lower()} on this "
            f"processor ({platform.node()})"
        )
    found = {name: version(name) for name in PACKAGES}
    found["machine"] = platform.machine()
    if torch.device(device).type == "cuda":
        found["device"] = torch.cuda.get_device_name(torch.device(device))
        found["cuda"] = str(torch.version.cuda)
    else:
        found["device"] = f"cpu with {capability}"
        if run.precision == "bf16":
            if not (units := bf16_units()):
                raise OtherConditions(
                    f"precision: bf16 was asked for, and this processor has {LACKS_BF16} ({platform.node()})"
                )
            found["device"] += f" and {', '.join(units)}"
    found["libraries"] = ", ".join(f"{name} {os.environ.get(name, 'unset')}" for name in LIBRARIES)
    found["threads"] = str(run.threads)
    found["arithmetic"] = f"{run.precision}, {run.layout}, {'exact' if run.exact else 'not exact'}"
    if run.compile:
        found["arithmetic"] += ", compiled, in graphs" if run.graphs else ", compiled"
        found["compiler"] = _compiler()
    return found


def _compiler() -> str:
    """The first line of what the compiler says of itself, such as "g++ (Debian 12.2.0) 12.2.0"."""
    if (place := compiler()) is None:
        raise OtherConditions(f"compile: true was asked for, and {platform.node()} has {lacks_compiler()}")
    said = subprocess.run([place, "--version"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0].strip() or place


def check_conditions(found: Mapping[str, str], here: Mapping[str, str], step: int, allowed: bool) -> list[str]:
    """How the conditions of a checkpoint at `step` differ from those here, in words; OtherConditions unless `allowed`.

    A checkpoint that tells nothing was made before conditions were recorded, and is taken as it is.
    """
    others = [f"{name} {found[name]} there, {here.get(name)} here" for name in found if found[name] != here.get(name)]
    if others and not allowed:
        raise OtherConditions(
            f"the checkpoint of step {step} was made under other conditions ({'; '.join(others)}), so a run that goes on "
            "from it is not comparable with an undisturbed one; go on where the conditions are the same, "
            "or submit with --allow-inexact"
        )
    return others


def history(
    before: list[dict[str, Any]], step: int, workers: int, host: str, inexact: list[str]
) -> list[dict[str, Any]]:
    """The attempts that made a checkpoint, with the one that starts at `step` added: on how many workers, and where."""
    return [*before, {"from_step": step, "workers": workers, "host": host, "inexact": inexact}]
