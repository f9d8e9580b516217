"""All systems by name, in one explicit dict. To add a paper: write its file, add a line here."""

from __future__ import annotations

from trainers.system import System
from trainers.systems.augmented_cyclegan import AugmentedCycleGAN
from trainers.systems.balanced import Balanced
from trainers.systems.began import BEGAN
from trainers.systems.bicyclegan import BicycleGAN
from trainers.systems.bigan import BiGAN
from trainers.systems.cgan import CGAN
from trainers.systems.classifier import Classifier
from trainers.systems.clr_gan import CLRGAN
from trainers.systems.cogan import CoGAN
from trainers.systems.crn import CRN
from trainers.systems.cvae_gan import CVAEGAN
from trainers.systems.cyclegan import CycleGAN
from trainers.systems.dcgan import DCGAN
from trainers.systems.discogan import DiscoGAN
from trainers.systems.distancegan import DistanceGAN
from trainers.systems.dtn import DTN
from trainers.systems.dualgan import DualGAN
from trainers.systems.munit import MUNIT
from trainers.systems.ost import OST
from trainers.systems.pix2pix import Pix2Pix
from trainers.systems.pix2pixhd import Pix2PixHD
from trainers.systems.regressor import Regressor
from trainers.systems.segmenter import Segmenter
from trainers.systems.simgan import SimGAN
from trainers.systems.srgan import SRGAN
from trainers.systems.stackgan import StackGAN
from trainers.systems.stargan import StarGAN
from trainers.systems.unit import UNIT
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
    Regressor.name: Regressor,
    DiscoGAN.name: DiscoGAN,
    DualGAN.name: DualGAN,
    DistanceGAN.name: DistanceGAN,
    OST.name: OST,
    StackGAN.name: StackGAN,
    UNIT.name: UNIT,
    MUNIT.name: MUNIT,
    CoGAN.name: CoGAN,
    AugmentedCycleGAN.name: AugmentedCycleGAN,
    StarGAN.name: StarGAN,
    Pix2PixHD.name: Pix2PixHD,
    SimGAN.name: SimGAN,
    DTN.name: DTN,
    BiGAN.name: BiGAN,
    CRN.name: CRN,
    SRGAN.name: SRGAN,
}
# Those that come before another one's own training, as `system:stage`.
STAGES = {f"{name}:{stage.name}": stage.system for name, system in SYSTEMS.items() for stage in system.stages}
