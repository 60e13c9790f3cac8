"""Settings of SchemaGen: where the schema comes from."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import PathKind, setting


@dataclass(frozen=True, kw_only=True)
class SchemaGenParams:
    """Where the schema comes from."""

    schema_file: str = setting(
        "", "a reviewed schema.pbtxt, relative to the config file; empty: infer it", path=PathKind.INPUT
    )
    reference: str = setting(
        "none", "last_blessed: judge the data by the last blessed run's schema", choices=("none", "last_blessed")
    )
    max_domain: int = setting(100, "text columns with at most this many distinct values get a domain", least=1)

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if self.schema_file and self.reference != "none":
            return [
                "`schema_file` and `reference` name two schemas to judge the data by; set one of them. "
                f"Received schema_file '{self.schema_file}' and reference '{self.reference}'."
            ]
        return []
