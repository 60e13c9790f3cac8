"""Makes small tables, and returns what `init` proposes for them."""

import random

from crossnet.pipeline.init.propose import list_columns, propose
from crossnet.pipeline.init.tables import find_table, resolve_label


def proposed(folder, text, label="y", name="rides.csv"):
    """What is proposed for a table of this text."""
    (folder / name).write_text(text)
    table = find_table(folder / name)
    return propose(table, resolve_label(table, label, list(list_columns(table))))


def table_of(header, rows):
    """A CSV's text."""
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


def noise(seed=0):
    """A function that draws numbers of a normal distribution, rounded."""
    draw = random.Random(seed)
    return lambda: round(draw.gauss(0, 1), 3)
