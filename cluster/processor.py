"""What this machine can make of an arithmetic: asked when a sweep is planned, and when a run begins."""

from __future__ import annotations

import os
import shutil
import sys

import torch

# What torch calls the units that multiply bf16 in hardware, on x86 and on ARM. Without one of them oneDNN works bf16 out in
# fp32, element by element: many times slower than fp32 itself.
BF16_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
LACKS_BF16 = f"no bf16 units ({', '.join(BF16_UNITS[:2])})"


def bf16_units() -> list[str]:
    """The names of this processor's bf16 units; none on most that are older than 2022."""
    has = torch.cpu.get_capabilities()
    return [name for name in BF16_UNITS if has.get(name)]


def compiler() -> str | None:
    """Where the C++ compiler is that torch makes a CPU's kernels with; None where there is none. A GPU's need it too."""
    return shutil.which(_wanted())


def lacks_compiler() -> str:
    """What is missing, in words."""
    return f"no C++ compiler ({_wanted()}; the environment variable CXX names another)"


def _wanted() -> str:
    return os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # as torch's inductor takes it


def lacking() -> dict[str, str]:
    """What this machine's CPUs cannot do: "bf16", "compile" -> what they have none of, in words."""
    found = {} if bf16_units() else {"bf16": LACKS_BF16}
    return found if compiler() else {**found, "compile": lacks_compiler()}
