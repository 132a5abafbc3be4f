"""Files on this machine as the shards of a stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalShards:
    """Files that lie on this machine."""

    files: Sequence[Path]

    def __len__(self) -> int:
        return len(self.files)

    def path(self, index: int) -> Path:
        return self.files[index]
