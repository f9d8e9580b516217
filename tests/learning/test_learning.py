"""They learn: on real pictures, in minutes, by a score that is not their own critic's, against doing less.

Three seeds each; a gain counts where its 95 % interval over the seeds excludes 0.
"""

from tests.learning.laboratory import gain, mean

ACCURACY, UNTRANSLATED = "eval/task_accuracy", "eval/task_accuracy_input"
KID, NEAREST, DIVERSITY, JUDGED = "eval/kid[task]", "eval/nearest_truth", "eval/diversity", "balance/accuracy_d"
SMALL = {"width": 16, "critic": "patch16", "critic_width": 16}


def digits_sweep(system, digits, reader, **more):
    """MNIST to optdigits, read by a network that knows optdigits: 995 digits of MNIST that nobody trained on."""
    return {
        "system": system,
        "data": {"uri": digits, "image": 32, "batch": 16, "augment": {"flip": False, "jitter": 1.0}},
        "steps": 1500,
        "hyper": {"width": 16, "blocks": 3, "critic": "patch16", "critic_width": 16},
        "task": reader,
        "evaluation": {"samples": 1000},
        "every": {"evaluate": 1500},
        "objective": {"metric": ACCURACY},
        **more,
    }


def better_read(found):
    """The gain in accuracy over the untranslated pictures, and a line that tells of it."""
    by_seed = [{ACCURACY: one[UNTRANSLATED]} for one in found]
    gained = gain(found, by_seed, ACCURACY)
    told = (
        "MNIST to optdigits at 32 pixels, 1,500 steps of 16, unpaired: a classifier of optdigits reads "
        f"{mean(found, ACCURACY):.1%} of {found[0]['eval/samples']:.0f} translated digits, "
        f"{mean(found, UNTRANSLATED):.1%} of the untranslated ones. Gain {gained} (3 seeds, 95 % interval)."
    )
    return gained, told


def test_cyclegan_makes_digits_that_the_other_domain_can_read(laboratory, digits, reader, learnt):
    found = laboratory.over_seeds("cyclegan-digits", digits_sweep("cyclegan", digits, reader))
    gained, told = better_read(found)
    learnt("cyclegan", told)
    assert gained.is_real, told


def test_distancegan_does_so_from_one_side(laboratory, digits, reader, learnt):
    sweep = digits_sweep("distancegan", digits, reader, preset="one-sided-distance")
    found = laboratory.over_seeds("distancegan-digits", sweep)
    gained, told = better_read(found)
    learnt("distancegan", told)
    assert gained.is_real, told


def colouring(data, **more):
    """Line drawings to pictures of 32 pixels."""
    return {
        "system": "pix2pix",
        "data": {"uri": data, "image": 32, "batch": 16, "augment": {"jitter": 1.0}},
        "steps": 3000,
        "hyper": {**SMALL, "lr": 5.0e-4},
        "every": {"evaluate": 3000},
        **more,
    }


def test_pix2pix_colours_better_than_l1_alone(laboratory, colours, colour_reader, learnt):
    judged = {"task": colour_reader, "evaluation": {"samples": 600}, "objective": {"metric": KID}}
    found = laboratory.over_seeds("pix2pix-colours", colouring(colours, **judged))
    alone = laboratory.over_seeds("l1-colours", colouring(colours, preset="l1", **judged))
    gained = gain(found, alone, KID, -1.0)
    told = (
        f"OpenMoji's line drawings in colour at 32 pixels, 3,000 steps of 16: in the features of a network that names "
        f"colours, {found[0]['eval/samples']:.0f} coloured drawings are at a kernel distance (KID) of {mean(found, KID):.3f} "
        f"from the true ones, those of L1 alone (`preset: l1`) at {mean(alone, KID):.3f}. Gain {gained} (3 seeds, 95 % "
        "interval)."
    )
    learnt("pix2pix", told)
    assert gained.is_real, told


def test_bicyclegan_covers_the_skin_tones_of_a_drawing(laboratory, tones, learnt):
    judged = {"evaluation": {"samples": 600, "draws": 64}, "objective": {"metric": NEAREST}}
    longer = {"steps": 8000, "every": {"evaluate": 8000}}
    multimodal = {"encoder": "conv", "encoder_width": 16, "latent": 2, "lr": 1.0e-3}
    weights = {"l1": 50.0, "latent": 1.0, "kl": 0.02}
    sweep = colouring(tones, system="bicyclegan", hyper={**SMALL, **multimodal}, weights=weights, **judged, **longer)
    found = laboratory.over_seeds("bicyclegan-tones", sweep)
    one = laboratory.over_seeds("pix2pix-tones", colouring(tones, preset="noise", **judged, **longer))
    nearer, wider = gain(found, one, NEAREST, -1.0), gain(found, one, DIVERSITY)
    told = (
        f"OpenMoji's drawings that exist in five skin tones, at 32 pixels, 8,000 steps of 16: of 64 colourings of a drawing "
        f"the nearest to each true one is {mean(found, NEAREST):.4f} away (mean absolute difference, range 0 to 1) and they "
        f"differ by {mean(found, DIVERSITY):.3f} from one another; those of pix2pix with noise (`preset: noise`) "
        f"{mean(one, NEAREST):.4f} and {mean(one, DIVERSITY):.3f}. Gain {nearer} in nearness, {wider} in diversity (3 seeds, "
        "95 % interval)."
    )
    learnt("bicyclegan", told)
    assert nearer.is_real and wider.is_real, told


def test_wgan_lp_holds_the_critic_where_the_game_of_2014_saturates(laboratory, digits, learnt):
    small = {"width": 16, "critic_width": 16, "latent": 32, "lr": 2.0e-4}
    sweep = {
        "data": {"uri": digits, "image": 32, "batch": 16, "augment": {"flip": False, "jitter": 1.0}},
        "steps": 1500,
        "balance": {"critic_turns": 5},
        "every": {"evaluate": 1500},
        "objective": {"metric": "loss/d"},
    }
    found = laboratory.over_seeds("wgan-lp", {**sweep, "system": "wgan", "preset": "lp", "hyper": small})
    minimax = {"system": "dcgan", "preset": "minimax", "hyper": {**small, "norm": "none"}}
    plain = laboratory.over_seeds("minimax", {**sweep, **minimax})
    held = gain(found, plain, JUDGED, -1.0)
    told = (
        f"Digits of 32 pixels from noise, 1,500 steps of 16 with 5 turns of the critic: at the end the critic tells "
        f"{mean(found, JUDGED):.1%} of the pictures apart under WGAN-LP, {mean(plain, JUDGED):.1%} in the game of 2014 as it "
        f"stands (`gan: minimax`), whose generator has nothing left to learn from and makes pictures that differ by "
        f"{mean(plain, DIVERSITY):.3f} from one another, not {mean(found, DIVERSITY):.3f}. Difference {held} (3 seeds, 95 % "
        "interval)."
    )
    learnt("wgan", told)
    assert held.is_real, told
