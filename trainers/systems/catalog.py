"""All systems by name, in one explicit dict. To add a paper: write its file, add a line here."""

from __future__ import annotations

from trainers.system import System
from trainers.systems.balanced import Balanced
from trainers.systems.began import BEGAN
from trainers.systems.bicyclegan import BicycleGAN
from trainers.systems.cgan import CGAN
from trainers.systems.classifier import Classifier
from trainers.systems.clr_gan import CLRGAN
from trainers.systems.cvae_gan import CVAEGAN
from trainers.systems.cyclegan import CycleGAN
from trainers.systems.dcgan import DCGAN
from trainers.systems.discogan import DiscoGAN
from trainers.systems.distancegan import DistanceGAN
from trainers.systems.dualgan import DualGAN
from trainers.systems.pix2pix import Pix2Pix
from trainers.systems.segmenter import Segmenter
from trainers.systems.wgan import WGAN

SYSTEMS: dict[str, type[System]] = {
    CycleGAN.name: CycleGAN,
    Pix2Pix.name: Pix2Pix,
    BicycleGAN.name: BicycleGAN,
    CVAEGAN.name: CVAEGAN,
    CLRGAN.name: CLRGAN,
    DCGAN.name: DCGAN,
    WGAN.name: WGAN,
    BEGAN.name: BEGAN,
    CGAN.name: CGAN,
    Balanced.name: Balanced,
    Classifier.name: Classifier,
    Segmenter.name: Segmenter,
    DiscoGAN.name: DiscoGAN,
    DualGAN.name: DualGAN,
    DistanceGAN.name: DistanceGAN,
}
