"""Blends a network's members, and a linear model, by held-out rows."""

from __future__ import annotations

from typing import NamedTuple

import tf_keras

from crossnet.components.networks.linear_member import LinearMember
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.gathering import gathered
from crossnet.components.training.linear_folds import fit_linear
from crossnet.components.training.out_of_fold import OutOfFold, predict_held_out
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.rows import Rows

# A linear model with a smaller share is left out: it would change predictions by less than it costs.
MIN_LINEAR_SHARE = 0.02
# A group of members without which the RMSE on held-out rows is larger by at most this share of it is left out: a server
# would compute it in each call. Those rows say too much for it, as they are predicted by one member of each group: an
# export averages several, to which another group adds less (docs/explanation-models.md has figures).
MIN_GAIN = 0.01


class Blend(NamedTuple):
    """What a prediction is made of.

    Attributes:
      found: What was predicted for rows that were held out.
      of_groups: The share of each group of members and, last, of the linear model, where one was fitted.
      shares: The share of each member; None: there is one.
      rows: The rows that `found` speaks of: those that were learned from; where workers share these, those that were
        held out.
      linear: The linear model; None where it has no share.
      linear_share: Its share.
    """

    found: OutOfFold
    of_groups: list[float]
    shares: list[float] | None
    rows: Rows
    linear: LinearMember | None = None
    linear_share: float = 0.0


def blend(network: tf_keras.Model, train: Rows, preprocessing: Preprocessing, params: Recipe) -> Blend:
    """Returns the blend with the least squared error on the rows that members hold out.

    Args:
      network: The trained network.
      train: The rows that it has learned from, with their folds. Workers that share them call this at the same time;
        what the chief gets counts.
      preprocessing: Theirs.
      params: How it was trained.
    """
    fitted = None
    if params.blend_linear and params.members > 1:
        fitted = fit_linear(train, preprocessing, params.held_out)
    found, train = gathered(predict_held_out(network, train, params.held_out, params.groups, fitted), train)
    least_of_linear = MIN_LINEAR_SHARE if fitted else 0.0
    of_groups = found.best_shares(train, least_of_linear, MIN_GAIN, groups=max(params.groups) + 1)
    if fitted is None:
        return Blend(found, of_groups, params.shares(of_groups) if params.members > 1 else None, train)
    linear = fitted.whole if of_groups[-1] else None
    return Blend(found, of_groups, params.shares(of_groups[:-1]), train, linear, of_groups[-1])
