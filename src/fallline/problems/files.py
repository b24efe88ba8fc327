"""Data files: from a folder the user names, the cache, or a public mirror; checked by the digest of their content."""

import gzip
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fallline.errors import InputError, MachineError

VARIABLE = "FALLLINE_DATA"


@dataclass(frozen=True)
class DataFile:
    """One file: its name without `.gz`, the SHA-256 of its unpacked content, and where it can be downloaded."""

    folder: str
    name: str
    sha256: str
    urls: Sequence[str]

    def read(self, data_dir: str | Path | None = None) -> bytes:
        """The unpacked content. `data_dir` or FALLLINE_DATA names a folder that already holds the file."""
        named = data_dir or os.environ.get(VARIABLE)
        if named:
            origin = "data_dir / --data-dir" if data_dir else VARIABLE
            return self._from_folder(Path(named), origin)
        cached = self._cache() / self.name
        if cached.is_file():
            return self._checked(cached.read_bytes(), cached)
        return self._download(cached)

    def _from_folder(self, folder: Path, origin: str) -> bytes:
        places = [folder / self.folder / self.name, folder / self.name]
        for place in [p for plain in places for p in (plain, plain.with_name(plain.name + ".gz"))]:
            if place.is_file():
                return self._checked(_unpacked(place), place)
        raise InputError(
            f"{self.name}[.gz] is neither in {folder / self.folder} nor in {folder}, the folder that {origin} names. "
            "Put the file there, or leave the option out to download it."
        )

    def _download(self, cached: Path) -> bytes:
        import pooch

        # pooch tells of temporary files that the user never sees.
        pooch.get_logger().setLevel("WARNING")
        failures = []
        for url in self.urls:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    fetched = pooch.retrieve(
                        url, known_hash=None, path=folder, downloader=pooch.HTTPDownloader(timeout=15)
                    )
                    content = self._checked(_unpacked(Path(fetched), url.endswith(".gz")), url)
            except Exception as error:
                failures.append(f"{url}: {type(error).__name__}")
                continue
            self._keep(cached, content)
            return content
        raise InputError(
            f"{self.name} is not in the cache ({cached.parent}) and could not be downloaded ({'; '.join(failures)}). "
            f"Put it into a folder, as {self.folder}/{self.name} or .gz, and name that folder with --data-dir "
            f"or {VARIABLE}."
        )

    def _keep(self, cached: Path, content: bytes) -> None:
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            partial = cached.with_suffix(f".{os.getpid()}.partial")
            partial.write_bytes(content)
            partial.replace(cached)
        except OSError as error:
            raise MachineError(f"{cached} could not be written: {error}. Name a folder with --data-dir.") from error

    def _checked(self, content: bytes, place: Path | str) -> bytes:
        if (found := sha256(content).hexdigest()) != self.sha256:
            raise InputError(
                f"{place} is not the published {self.name}: the SHA-256 of its unpacked content is {found[:12]}..., "
                f"expected {self.sha256[:12]}.... Delete it and fetch it again."
            )
        return content

    def _cache(self) -> Path:
        import platformdirs

        return Path(platformdirs.user_cache_dir("fallline")) / self.folder


def _unpacked(place: Path, packed: bool | None = None) -> bytes:
    content = place.read_bytes()
    if not (place.suffix == ".gz" if packed is None else packed):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise InputError(f"{place} cannot be unpacked: {error}. Fetch it again.") from error
