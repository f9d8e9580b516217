"""They learn: on real pictures, in minutes, by a score that is not their own critic's, against doing less.

Three seeds each; a gain counts where its 95 % interval over the seeds excludes 0.
"""

from tests.learning.laboratory import gain, mean

ACCURACY, UNTRANSLATED = "eval/task_accuracy", "eval/task_accuracy_input"


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
