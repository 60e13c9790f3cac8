"""Reads finished artifacts, the folders in which steps hand over their results.

A component fills a folder and returns the artifact with `counts` and `properties`; the runner writes both into
`artifact.json`, last, and renames the folder to its final name. So a folder with its final name is whole, and what a
later step needs travels inside it. One file per type, so that a change to one type leaves the fingerprints of steps
that do not read it as they are.
"""
