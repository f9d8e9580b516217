"""The engine on a GPU against the textbook loop: steps, share of the device's bf16 peak, peak memory.

    python -m benchmarks.device [--system cyclegan] [--rounds 5] [--block 10] [--compile] [--json]

CycleGAN and pix2pix at 256 px with batches of 1 and 8, BicycleGAN at 128 px with 2 and 8, at their published widths. Above 1 the
engine is the faster one. Its side is the fastest of its precisions and layouts, exact and not. The textbook's is fp32 with fused
Adam, and beside it the better of its two forms under bf16 autocast, contiguous and channels_last, with cudnn free to choose by a
race. Both are handed bytes in pinned memory. The clock is the wall's, with the device waited for at both ends of a block.

Without a GPU it says so and measures nothing; `--device cpu --image 32` runs every line of it in a minute and means nothing.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from benchmarks.cases import Case
from benchmarks.measure import Finding, conditions, interleave, parser, ratio, show
from benchmarks.step import TEXTBOOK
from cluster.conformance import Subject
from cluster.weigh import weigh
from trainers.engine import LAYOUTS

SIZES = {"cyclegan": (256, (1, 8)), "pix2pix": (256, (1, 8)), "bicyclegan": (128, (2, 8))}
OVER_FP32, OVER_AMP = 2.5, 1.2
# Dense bf16 operations a second, by what the device's name holds, from the makers' data sheets.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12, "V100": 125e12}
MB = 1e6


@dataclass(frozen=True)
class Side:
    """A loop to time. exact: deterministic kernels; race: cudnn chooses its kernels by timing them; tf32: in place of fp32."""

    step: Callable[[], object]
    exact: bool = False
    race: bool = False
    tf32: bool = False


def measure(
    system: str, image: int, batch: int, device: torch.device, rounds: int, block: int, compiled: bool, graphs: bool
) -> list[Finding]:
    """The findings of one system at one size; the first round warms up and is dropped."""
    case = Case(system, {}, image, batch)
    sides = dict(_sides(case, device, compiled, graphs))
    most = {name: _memory(side, device) for name, side in sides.items()}
    found = interleave({name: _timed(side, device, block) for name, side in sides.items()}, rounds + 1)
    seconds = {name: each[1:] for name, each in found.items()}
    ours = min(
        (name for name in seconds if name.startswith("engine")), key=lambda name: statistics.median(seconds[name])
    )
    amp = min((name for name in seconds if "autocast" in name), key=lambda name: statistics.median(seconds[name]))
    each = "; ".join(f"{n} {1000 * statistics.median(s) / block:.2f} ms, {most[n]:.0f} MB" for n, s in seconds.items())
    name, step = f"{system}, {image} px, batch {batch}", statistics.median(seconds[ours]) / block
    unfit = "" if device.type == "cuda" else "no GPU"
    findings = [
        ratio(
            f"{name}: textbook / {ours}",
            seconds["textbook"],
            seconds[ours],
            target=OVER_FP32,
            at_least=True,
            note=each,
            unfit=unfit,
        ),
        ratio(f"{name}: {amp} / {ours}", seconds[amp], seconds[ours], target=OVER_AMP, at_least=True, unfit=unfit),
    ]
    if (share := _share(case, step, device)) is not None:
        findings.append(Finding(f"{name}: share of the bf16 peak", share, share, share, 1, None, True))
    return findings


def _sides(case: Case, device: torch.device, compiled: bool, graphs: bool) -> Iterator[tuple[str, Side]]:
    plain = TEXTBOOK[case.system](case.build().to(device), fused=True)
    yield "textbook", Side(lambda: plain.step(_moved(case, device)), race=True)
    for layout, order in LAYOUTS.items():
        system = case.build().to(device, memory_format=order)  # type: ignore[call-overload]
        coarse = TEXTBOOK[case.system](system, fused=True)

        def step(coarse: object = coarse) -> None:
            # Its cache would keep bf16 copies of a critic's weights over the critic's move.
            with torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False):
                coarse.step(_moved(case, device))  # type: ignore[attr-defined]

        yield f"textbook under autocast, {layout}", Side(step, race=True)
    kernels = (", compiled" if compiled else "") + (", in graphs" if graphs else "")
    for precision in ("fp32", "tf32", "bf16") if device.type == "cuda" else ("fp32", "bf16"):
        for layout in LAYOUTS:
            for exact in (True, False):
                engine = case.engine(
                    device=device, precision=precision, layout=layout, compiled=compiled, graphs=graphs
                )
                name = f"engine, {precision}, {layout}{kernels}{', exact' if exact else ''}"
                yield name, Side(engine.step, exact=exact, tf32=precision == "tf32")


def _moved(case: Case, device: torch.device) -> Mapping[str, torch.Tensor]:
    """The batch's bytes on the device, as a loader with pinned memory hands them over."""
    here = {domain: torch.from_numpy(pixels) for domain, pixels in case.pixels().items()}
    if device.type != "cuda":
        return here
    return {domain: pixels.pin_memory().to(device, non_blocking=True) for domain, pixels in here.items()}


@contextmanager
def _settings(side: Side) -> Iterator[None]:
    """The process's own, as the side wants them."""
    torch.use_deterministic_algorithms(side.exact)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # as runs have it
    torch.backends.cudnn.benchmark = side.race
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = side.tf32
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def _timed(side: Side, device: torch.device, block: int) -> Callable[[], float]:
    def run() -> float:
        with _settings(side):
            side.step()
            _wait(device)
            began = time.perf_counter()
            for _ in range(block):
                side.step()
            _wait(device)
            return time.perf_counter() - began

    return run


def _memory(side: Side, device: torch.device) -> float:
    """MB that a step adds at most to what all the sides hold together."""
    if device.type != "cuda":
        return 0.0
    with _settings(side):
        side.step()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        side.step()
        return (torch.cuda.max_memory_allocated() - held) / MB


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _share(case: Case, seconds: float, device: torch.device) -> float | None:
    """The operations of a step by the second, over what the device could do at most; None where nobody knows."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else ""
    peak = next((most for known, most in PEAKS.items() if known in name), None)
    run = Subject(case.system, "", case.image, {}).runs()[0]
    weight = weigh(replace(run, data=replace(run.data, batch=case.batch, replicas=1)), case.shapes)
    return weight.flops / seconds / peak if peak and weight else None


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--system", choices=SIZES, help="this one only")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--block", type=int, default=10, help="steps in a block")
    options.add_argument("--compile", action="store_true", help="compiled networks, on the engine's side")
    options.add_argument("--graphs", action="store_true", help="the same, as CUDA graphs")
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument("--image", type=int, help="another size, in pixels, and batches of 2 alone")
    asked = options.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: nothing was measured", file=sys.stderr)
        return
    findings: list[Finding] = []
    for system in [asked.system] if asked.system else SIZES:
        image, batches = (asked.image, (2,)) if asked.image else SIZES[system]
        for batch in batches:
            print(f"timing {system}, {image} px, batch {batch}", file=sys.stderr)
            how = (torch.device(asked.device), asked.rounds, asked.block, asked.compile or asked.graphs, asked.graphs)
            findings += measure(system, image, batch, *how)
            gc.collect()
    show(findings, conditions(), asked.json)


if __name__ == "__main__":
    main()
