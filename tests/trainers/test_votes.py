"""Votes: what one worker wishes for reaches all of them at the same step, with the gradients, and changes no bit."""

import pytest

from tests.trainers.processes import Processes
from tests.trainers.worlds import STEPS, engine, state_digest, state_of
from trainers.ledger import VOTES
from trainers.settings import Balance
from trainers.state import digest, load_state, named_state
from trainers.tree import Tree

# rank -> step before which it votes -> its vote
CAST = {0: {4: 1}, 1: {1: 2, 3: 0}, 3: {2: 3}}
# After each step of four workers with two replicas each: a vote before step 1 is known after step 2.
HEARD = [(0, 0, 0), (0, 0, 0), (0, 2, 0), (0, 2, 2), (0, 0, 2), (2, 0, 2)]


def with_resting_critic(tree):
    """An engine whose first move moves nobody: the votes then travel in a message of their own."""
    of = engine("pix2pix", tree=tree, balance=Balance(target_accuracy=0.5))
    of.accuracy.fill_(0.9)
    return of


def cast_votes(pipe, rank, workers, exact):
    """Vote as `CAST` says; say what was heard after each step, and the digest."""
    of = with_resting_critic(Tree(8, rank, workers, exact))
    heard = []
    for step in range(STEPS):
        number = CAST.get(rank, {}).get(step)
        if number is not None:
            of.vote(number)
        of.step()
        heard.append(of.votes())
    state = named_state(of)
    pipe.send((heard, None if state is None else digest(state)))
    pipe.recv()


@pytest.mark.parametrize("exact", [True, False])
def test_all_workers_hear_the_same_at_the_same_step(exact):
    with Processes(cast_votes, 4, exact) as processes:
        answers = processes.answers()
    assert [heard for heard, _ in answers] == [HEARD] * 4
    if exact:
        of = with_resting_critic(Tree(8))
        for _ in range(STEPS):
            of.step()
        assert of.moves == {"critic": 0, "generator": STEPS}
        assert answers[0][1] == state_digest(of), "a vote changes no bit"


def test_votes_are_counted_once_however_many_moves_a_step_has():
    of = engine("cyclegan", balance=Balance(critic_turns=5))
    of.vote(3)
    of.step()
    assert of.votes() == (0, 0, 0), "the last step's may still be on their way"
    of.step()
    assert of.votes() == (0, 0, 2)


def test_a_state_holds_no_votes():
    voting = engine("pix2pix")
    voting.vote(2)
    for _ in range(3):
        voting.step()
    fresh = engine("pix2pix")
    for _ in range(3):
        fresh.step()
    state = state_of(voting)
    assert digest(state) == state_digest(fresh)
    load_state(voting, state)
    assert voting.votes() == (0, 0, 0)
    voting.step()
    voting.step()
    assert voting.votes() == (0, 0, 0), "whoever goes on from a state has not voted"


def test_a_vote_that_is_none_is_a_mistake():
    of = engine("pix2pix")
    for number in (-1, len(VOTES) + 1):
        with pytest.raises(AssertionError, match="a vote is 0, or the place of its name in VOTES"):
            of.vote(number)
