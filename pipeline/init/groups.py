"""Finds the column whose values are what rows belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from crossnet.components.hashing import Hashes, mix
from crossnet.pipeline.init.profile import ColumnProfile, TableProfile
from crossnet.pipeline.init.value_sample import ValueSample

MIN_GROUPS = 30
# With more rows of each, a model learns the value, and most new rows have one that it knows; people come and go.
_MAX_ROWS = 30
_MIN_ROWS = 1.5
_MIN_EXPLAINED = 0.2
_MIN_PERSON_EFFECT = 1.0  # rows of a person say so much less than as many of others (Kish's design effect less 1)
_ROUGH = 0.6
# A column without a name that says so: the label's neighbours tell a magnitude, and values occur as a key's do.
_PLAIN_ROUGH, _PLAIN_ROWS = 0.75, 8
# Of a column with fewer rows per value: so many others are alike in these rows, with at most so many exceptions for
# each that chance would make, of which there are enough to tell.
_MIN_ALIKE, _MAX_EXCEPTIONS, _MIN_BY_CHANCE = 3, 0.05, 20
_MAX_LOOKED_AT = 4096  # values
_MAX_NESTED = 1.1  # pairs per value of the finer column
_MAX_PARTNERS = 3

_IDS = {"id", "key", "uuid", "guid"}
_MARKS = _IDS | {"no", "nr", "number", "num", "code", "name", "hash"}
_AMOUNTS = {"n", "no", "num", "number", "count", "total", "new", "has", "is"}
_PEOPLE = {
    "account", "athlete", "author", "buyer", "client", "cust", "customer", "donor", "driver", "employee", "family",
    "guest", "household", "member", "owner", "participant", "passenger", "patient", "person", "player", "respondent",
    "reviewer", "rider", "seller", "student", "subject", "subscriber", "teacher", "tenant", "user", "visitor",
    "worker",
}  # fmt: skip


class Group(NamedTuple):
    """A column whose values may be what rows belong to.

    Attributes:
      name: As the source names it.
      rows: Rows per value, the most frequent value aside.
      share: Of the label's variance, what lies between the values.
      rank: 0 for people, 1 for other identifiers, 2 for whole numbers whose name says neither.
    """

    name: str
    rows: float
    share: float
    rank: int


def name_rank(name: str) -> int:
    """Returns 0 for a name of people, such as `userId`, 1 for another identifier's, such as `order_id`, else 2."""
    words = re.findall(r"[a-z]+|[0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())
    if not words or (len(words) > 1 and words[0] in _AMOUNTS):
        return 2
    stem = [*words]
    while len(stem) > 1 and stem[-1] in _MARKS:
        stem.pop()
    if stem[-1] in _PEOPLE or stem[-1].removesuffix("id") in _PEOPLE:
        return 0
    return 1 if words[-1] in _IDS else 2


def find_groups(profile: TableProfile, kinds: Mapping[str, str]) -> list[Group]:
    """Returns the columns that rows may belong to, the likeliest first.

    The label must be alike in rows of one value, beyond chance, and must not follow the number, both with the most
    frequent value set aside: it is often 0, beside which the others are measurements. Text counts only where its
    name says so, since many a category has as many values.

    Args:
      profile: What all rows show.
      kinds: How each column is read, by source name.
    """
    found = []
    for name, column in profile.columns.items():
        group = _look(profile, name, kinds[name])
        if group and _is_group(group, column.sample):
            found.append(group)
    return sorted(found, key=lambda group: (group.rank, -group.share if group.rank == 2 else -group.rows))


def find_plain(profile: TableProfile, kinds: Mapping[str, str]) -> Group | None:
    """Returns the likeliest column that would be a group if its name said so: its values have few rows each."""
    looks = [_look(profile, name, kinds[name]) for name in profile.columns]
    plain = [group for group in looks if group and group.rank == 2 and group.rows < _PLAIN_ROWS]
    found = [group for group in plain if _is_group(group, profile.columns[group.name].sample, _MIN_ROWS)]
    return max(found, key=lambda group: group.share, default=None)


def find_partners(group: Group, profile: TableProfile, kinds: Mapping[str, str]) -> list[Group]:
    """Returns other identifiers that say at least half as much of the label as a group does."""
    others = [_look(profile, name, kinds[name]) for name in profile.columns if name != group.name]
    named = [other for other in others if other and other.rank < 2 and other.share >= group.share / 2]
    return sorted(named, key=lambda other: -other.share)[:_MAX_PARTNERS]


def _look(profile: TableProfile, name: str, kind: str) -> Group | None:
    """Returns what a column's values say of the label; None where they cannot be what rows belong to."""
    column = profile.columns[name]
    if name == profile.label or column.is_list or kind not in ("INT", "BYTES") or column.cells.forms["date"]:
        return None
    if column.is_daytime:
        return None
    if column.sample.distinct < MIN_GROUPS:
        return None
    rest = column.sample.without_most_frequent()
    rank = name_rank(name)
    if rank == 2 and kind == "BYTES":
        return None
    return Group(name, rest.rows_per_value, rest.explained(rest.variance), rank)


def _is_group(group: Group, sample: ValueSample, min_plain_rows: float = _PLAIN_ROWS) -> bool:
    if group.rank == 2 and group.rows < min_plain_rows:
        return False
    if group.rows < _MIN_ROWS or (group.rank and group.rows > _MAX_ROWS):
        return False
    enough = group.share >= _MIN_EXPLAINED or (not group.rank and group.share * (group.rows - 1) >= _MIN_PERSON_EFFECT)
    rough = sample.without_most_frequent().roughness
    return enough and rough >= (_PLAIN_ROUGH if group.rank == 2 else _ROUGH)


def are_crossed(batches: Iterable[tuple[int, int, Mapping[str, pa.Array]]], one: str, other: str) -> bool:
    """Returns whether rows of one value have several of the other, both ways, as users and products do.

    Args:
      batches: The table again, as `profile_table` takes it.
      one, other: Columns, by source name.
    """
    samples = {one: ValueSample(), other: ValueSample(), "": ValueSample()}
    for unit, row, columns in batches:
        none = np.full(len(columns[one]), np.nan)
        hashes = []
        for name in (one, other):
            found = _hashes_of(columns[name], (unit, row))
            if found is None:
                return False
            hashes.append(found)
        facts = np.zeros((len(none), 5))
        facts[:, 0] = 1
        samples[one].update(hashes[0], facts)
        samples[other].update(hashes[1], facts)
        samples[""].update(mix(mix(hashes[0]) ^ hashes[1]), facts)
    finer = max(samples[one].distinct, samples[other].distinct)
    return samples[""].distinct > _MAX_NESTED * finer


def find_alike(
    batches: Iterable[tuple[int, int, Mapping[str, pa.Array]]], name: str, others: Iterable[str], distinct: int
) -> list[str]:
    """Returns the columns that are alike in rows of one value, as a person's sex is; [] where fewer than 3 are.

    Args:
      batches: The table again, as `profile_table` takes it.
      name: The column with the values, by source name.
      others: The columns that may be alike, by source name.
      distinct: How many values there are.
    """
    least = np.uint64(min(1.0, _MAX_LOOKED_AT / distinct) * (2**64 - 2048))  # of hashes: a random part of the values
    hashes: dict[str, list[Hashes]] = {other: [] for other in (name, *others)}
    for unit, row, columns in batches:
        own = _hashes_of(columns[name], (unit, row))
        if own is None:
            return []
        rows = np.flatnonzero((own > 0) & (own <= least))
        hashes[name].append(own[rows])
        for other in [other for other in hashes if other != name]:
            theirs = _hashes_of(columns[other].take(pa.array(rows)), (unit, row))
            if theirs is None:
                del hashes[other]
            else:
                hashes[other].append(theirs)
    own = np.concatenate(hashes.pop(name))
    values, counts = np.unique(own, return_counts=True)
    rest = own != values[counts.argmax()] if len(own) else own > 0  # as in `find_groups`
    found = [other for other, parts in hashes.items() if _are_alike(own[rest], np.concatenate(parts)[rest])]
    return found if len(found) >= _MIN_ALIKE else []


def _hashes_of(array: pa.Array, place: tuple[int, int]) -> Hashes | None:
    column = ColumnProfile()
    column.update(array, np.full(len(array), np.nan), place)
    return column.row_hashes


def _are_alike(own: Hashes, other: Hashes) -> bool:
    """Returns whether rows of one value, by the hashes in `own`, have one value of another column but for exceptions.

    Each row is compared with another one of its value, and with any row by chance.
    """
    order = np.argsort(own, kind="stable")
    own, other = own[order], other[order]
    pairs = own[1:] == own[:-1]
    exceptions = np.count_nonzero(other[1:][pairs] != other[:-1][pairs])
    shares = np.unique(other, return_counts=True)[1] / max(len(other), 1)
    by_chance = (1 - float(shares @ shares)) * np.count_nonzero(pairs)
    return bool(by_chance >= _MIN_BY_CHANCE and exceptions <= _MAX_EXCEPTIONS * by_chance)
