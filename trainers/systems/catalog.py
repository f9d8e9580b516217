"""All systems by name, in one explicit dict. To add a paper: write its file, add a line here."""

from __future__ import annotations

from trainers.system import System
from trainers.systems.cyclegan import CycleGAN
from trainers.systems.pix2pix import Pix2Pix

SYSTEMS: dict[str, type[System]] = {
    CycleGAN.name: CycleGAN,
    Pix2Pix.name: Pix2Pix,
}
