"""The store: one SQLite file in a study's folder. One process writes it; others may read at any time."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import filelock
import numpy as np

from fallline.errors import InputError, MachineError
from fallline.study.folders import claim
from fallline.study.record import Record
from fallline.study.speed import Speed
from fallline.training import Curve, Ending, Origin, Outcome
from fallline.training.curve import COUNTS

FILE = "study.sqlite"
MIGRATIONS = (
    """
    CREATE TABLE study (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        specification TEXT NOT NULL,
        plan TEXT NOT NULL,
        environment TEXT NOT NULL
    ) STRICT;
    CREATE TABLE member (
        key TEXT PRIMARY KEY,
        description TEXT NOT NULL,
        ending TEXT NOT NULL,
        step INTEGER NOT NULL,
        cause TEXT,
        seconds REAL NOT NULL
    ) STRICT;
    CREATE TABLE curve (
        member TEXT NOT NULL REFERENCES member (key),
        quantity TEXT NOT NULL,
        float64 BLOB NOT NULL,
        PRIMARY KEY (member, quantity)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE member ADD COLUMN restored INTEGER;
    ALTER TABLE curve ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE losses (
        member TEXT PRIMARY KEY REFERENCES member (key),
        int64_steps BLOB NOT NULL,
        float64 BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE member ADD COLUMN weights_digest TEXT;
    ALTER TABLE member ADD COLUMN order_digest TEXT;
    """,
    """
    CREATE TABLE speed (
        key TEXT PRIMARY KEY,
        description TEXT NOT NULL,
        float64 BLOB NOT NULL,
        first REAL NOT NULL,
        steps INTEGER NOT NULL,
        threads INTEGER NOT NULL,
        machine TEXT NOT NULL
    ) STRICT;
    """,
)
"""One script per version of the file; `user_version` counts those that have run."""
SPEED_SINCE = next(number for number, script in enumerate(MIGRATIONS, start=1) if "TABLE speed" in script)


class Store:
    """A study's folder: `study.sqlite`, `weights/`, and what reports are written beside them.

    A file of an older version is read as it is, and brought to this one when something is first written.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: filelock.BaseFileLock | None) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock

    @classmethod
    def writer(cls, folder: str | Path) -> Self:
        """Open a folder to write, making it if need be; raises InputError where that cannot be done."""
        folder = Path(folder)
        lock = claim(folder, FILE, "study")
        try:
            connection = _connect(folder / FILE, "rwc")
            _known_version(connection, folder)
            connection.execute("PRAGMA synchronous = FULL")
        except (sqlite3.Error, InputError) as error:
            lock.release()
            if isinstance(error, InputError):
                raise
            raise InputError(f"The store {folder} cannot be written: {error}.") from None
        return cls(folder, connection, lock)

    @classmethod
    def reader(cls, folder: str | Path) -> Self:
        """Open a folder to read only."""
        folder = Path(folder)
        if not (folder / FILE).is_file():
            raise InputError(f"There is no study in {folder} ({FILE} is missing).")
        try:
            connection = _connect(folder / FILE, "ro")
            if _known_version(connection, folder) == 0:
                raise InputError(f"There is no study in {folder} ({FILE} is empty).")
        except sqlite3.Error as error:
            raise InputError(f"The store {folder} cannot be read: {error}.") from None
        return cls(folder, connection, None)

    def begin(self, specification: str, plan: dict[str, Any], environment: dict[str, Any]) -> None:
        """Write down what this folder's study is; once."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO study VALUES (1, ?, ?, ?)",
                (specification, json.dumps(plan), json.dumps(environment)),
            )

    def study(self) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        """Specification, plan and environment, or None in a new folder."""
        rows = self._read("SELECT specification, plan, environment FROM study") if self._version() else []
        row = rows[0] if rows else None
        return None if row is None else (row[0], json.loads(row[1]), json.loads(row[2]))

    def keep_plan(self, plan: dict[str, Any]) -> None:
        """Write down the plan anew: that of a further stage is known."""
        with self._transaction():
            self._connection.execute("UPDATE study SET plan = ?", (json.dumps(plan),))

    def add(self, *records: Record, plan: dict[str, Any] | None = None) -> None:
        """Write down members that have ended, with all their curves, as one transaction; and the plan, where what
        became of it is to be kept.
        """
        with self._transaction():
            if plan is not None:
                self._connection.execute("UPDATE study SET plan = ?", (json.dumps(plan),))
            for record in records:
                self._insert(record)

    def _insert(self, record: Record) -> None:
        self._connection.execute(
            "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.key,
                json.dumps(record.description),
                str(record.outcome.ending),
                record.outcome.step,
                record.outcome.cause,
                record.seconds,
                record.outcome.restored,
                None if record.origin is None else record.origin.weights,
                None if record.origin is None else record.origin.order,
            ),
        )
        self._connection.executemany(
            "INSERT INTO curve VALUES (?, ?, ?, ?)",
            [
                (record.key, quantity, np.asarray(values, dtype="<f8").tobytes(), place)
                for place, (quantity, values) in enumerate(record.curve.columns.items())
            ],
        )
        if losses := record.curve.losses:
            steps = np.asarray(list(losses), dtype="<i8").tobytes()
            values = np.asarray(list(losses.values()), dtype="<f8").tobytes()
            self._connection.execute("INSERT INTO losses VALUES (?, ?, ?)", (record.key, steps, values))

    def records(self) -> dict[str, Record]:
        """All members that have ended, by key, in the order in which they ended."""
        version = self._version()
        if version == 0:
            return {}
        restored, place = ("NULL", "quantity") if version < 2 else ("restored", "place")
        digests = "NULL, NULL" if version < 4 else "weights_digest, order_digest"
        kept = self._read("SELECT member, int64_steps, float64 FROM losses") if version >= 3 else []
        losses = {
            member: dict(zip(np.frombuffer(steps, "<i8").tolist(), np.frombuffer(values, "<f8").tolist(), strict=True))
            for member, steps, values in kept
        }
        curves: dict[str, dict[str, list[float]]] = {}
        for member, quantity, blob in self._read(f"SELECT member, quantity, float64 FROM curve ORDER BY {place}"):
            curves.setdefault(member, {})[quantity] = np.frombuffer(blob, dtype="<f8").tolist()
        rows = self._read(
            f"SELECT key, description, ending, step, cause, seconds, {restored}, {digests} FROM member ORDER BY rowid"
        )
        return {
            key: Record(
                json.loads(description),
                Outcome(Ending(ending), step, cause, restored),
                Curve(_ordered(curves[key]), losses.get(key, {})),
                seconds,
                None if weights is None else Origin(weights, order),
            )
            for key, description, ending, step, cause, seconds, restored, weights, order in rows
        }

    def add_speeds(self, speeds: Iterable[Speed]) -> None:
        """Write down what speed runs measured; all or none of them."""
        rows = [
            (s.key, json.dumps(dict(s.description)), _floats(s.seconds), s.first, s.steps, s.threads, s.machine)
            for s in speeds
        ]
        with self._transaction():
            self._connection.executemany("INSERT INTO speed VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def speeds(self) -> tuple[Speed, ...]:
        """What speed runs measured, in their order."""
        if self._version() < SPEED_SINCE:
            return ()
        columns = "description, float64, first, steps, threads, machine"
        return tuple(
            Speed(json.loads(description), tuple(np.frombuffer(seconds, "<f8").tolist()), *rest)
            for description, seconds, *rest in self._read(f"SELECT {columns} FROM speed ORDER BY rowid")
        )

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _version(self) -> int:
        return int(self._read("PRAGMA user_version")[0][0])

    def _read(self, query: str) -> list[Any]:
        try:
            return self._connection.execute(query).fetchall()
        except sqlite3.DatabaseError as error:
            raise InputError(f"The store {self.folder} is damaged: {error}. Begin anew in another store.") from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            if self._version() < len(MIGRATIONS):
                _migrate(self._connection)
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise MachineError(
                f"{self.folder / FILE} could not be written: {error}. What was trained before is kept; "
                f"mend it, then: fallline resume {self.folder}"
            ) from error


def _floats(values: Iterable[float]) -> bytes:
    return np.asarray(list(values), dtype="<f8").tobytes()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=30.0, isolation_level=None)


def _known_version(connection: sqlite3.Connection, folder: Path) -> int:
    """The version of a file, 0 of an empty one; InputError for a newer one, and for another program's."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and not (version and {"study", "member", "curve"} <= tables):
        raise InputError(f"{folder / FILE} is no study: another program made it. Choose another store.")
    if version > len(MIGRATIONS):
        raise InputError(
            f"The store {folder} was made by a newer fallline (format {version}; this one knows {len(MIGRATIONS)}). "
            "Update fallline, or choose another store."
        )
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def _ordered(columns: dict[str, list[float]]) -> dict[str, list[float]]:
    first = (*COUNTS, "batch_loss")
    splits = ("train_", "validation_", "test_")

    def place(name: str) -> tuple[int, int, str]:
        if name in first:
            return (0, first.index(name), "")
        split = next((i for i, prefix in enumerate(splits) if name.startswith(prefix)), len(splits))
        # Diagnostics stand in the model's order, in which they were recorded.
        return (1 + split, 0 if name.endswith("_loss") else 1, name if split < len(splits) else "")

    return {name: columns[name] for name in sorted(columns, key=place)}
