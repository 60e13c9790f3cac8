"""Declares the settings of every step, one file for each step.

These files alone state a default, a range or a unit. `crossnet.pipeline.config` checks values against what `setting`
says, and the reference in docs/ is generated from it. What two settings must agree on is checked by a dataclass's
`problems`, which returns one sentence per mistake, so that all are shown at once. In TOML and `--set`, an optional
setting is switched off by the word "none". One file per step, so that a change to one step's settings leaves the
fingerprints of the others as they are.
"""
