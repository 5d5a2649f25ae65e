"""Settings from the environment or from the TOML file that `JOBS_CONFIG` names.

Nothing is read at import. The environment wins over the file. An unknown name with our prefix is
an error: a misspelt retention must not silently keep its default.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobs_maint.crons import check_cron
from jobs_maint.durations import format_duration, parse_duration
from jobs_maint.errors import InvalidRequest, InvalidSettings
from jobs_maint.spelling import ask_meant, find_nearest
from jobs_maint.wrong_values import say_wrong

__all__ = [
    "Cron",
    "Duration",
    "JsonText",
    "MaintSettings",
    "OurSettings",
    "Retention",
    "check_names",
]

Names = TypeVar("Names", bound=Collection[str])

_SERVICE_LINK = re.compile(
    r"^(?:SERVICE_HOST|SERVICE_PORT(?:_.+)?|PORT|PORT_\d+_(?:TCP|UDP)(?:_.+)?)$"
)
"""What Kubernetes puts into every pod for a service named `chatbot` or `jobs-maint`."""
_LINK_VALUE = re.compile(r"^(?:tcp|udp|sctp)://")


def is_service_link(rest: str, value: str) -> bool:
    """Whether Kubernetes set this variable (`rest`: its name without our prefix)."""
    if not _SERVICE_LINK.match(rest):
        return False
    return rest != "PORT" or bool(_LINK_VALUE.match(value))


def _duration(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except InvalidRequest as exc:
            raise ValueError(str(exc)) from exc
    if value is not None and not isinstance(value, timedelta):
        # A bare number would be taken as seconds: `keep_failed = 30` would delete everything.
        raise ValueError(f"{value!r} has no unit; write a text such as '30d', '12h' or '5m'")
    return value


def _span(value: object) -> object:
    parsed = _duration(value)
    if parsed is None:
        raise ValueError("'never' is not allowed here; write a span such as 10s or 5m")
    if isinstance(parsed, timedelta) and parsed <= timedelta():
        raise ValueError("it must be longer than zero; write a span such as 10s or 5m")
    return parsed


_DEFAULT_CRONS = ("0 3 * * *", "*/5 * * * *")


def _cron(value: object) -> object:
    if not isinstance(value, str) or value in _DEFAULT_CRONS:
        return value
    return check_cron(value) if value.strip() else ""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The last of two would silently undo the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twice!r} twice; keep one of them")
    return found


_TOO_DEEP = "it is nested too deeply"


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("it is empty; write JSON or leave the variable unset")
    try:
        return json.loads(value, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as exc:
        raise ValueError(f"it is not valid JSON: {exc.msg} at character {exc.pos + 1}") from exc
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
"""NUL, and what stands for a byte that is not UTF-8."""


def check_names(names: Names) -> Names:
    """The names, globs or words; one that is empty, or only spaces, would silently fit nothing.

    What is no text cannot be stored, so that nobody would be told by what a worker goes.
    """
    if not all(name.strip() for name in names):
        raise ValueError("one of its names is empty; write a name, or leave it out")
    if any(_NO_TEXT.search(name) for name in names):
        raise ValueError("one of its names is not valid UTF-8 text; save it as UTF-8, without NUL")
    return names


Retention = Annotated[timedelta | None, BeforeValidator(_duration)]
"""A span, or None for `never`."""
Duration = Annotated[timedelta, BeforeValidator(_span)]
Cron = Annotated[str, BeforeValidator(_cron)]
"""Five cron fields or `@daily` and the like (UTC), or empty for "off"."""
JsonText = BeforeValidator(_json)


def _blank_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_FILE_TABLES = ("jobs_maint", "chatbot", "slack")


class _ConfigFile(PydanticBaseSettingsSource):
    """One table of the file that `JOBS_CONFIG` names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002  one table is read whole
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        path = os.environ.get("JOBS_CONFIG", "").strip()
        if not path:
            return {}
        tables = _read_toml(path)
        settings: type[OurSettings] = self.settings_cls  # type: ignore[assignment]
        for table in tables:
            if table not in _FILE_TABLES:
                raise InvalidSettings(
                    f"{path} has the unknown top-level entry {table!r}; the tables are "
                    f"{', '.join(_FILE_TABLES)}{_meant(table, _FILE_TABLES)}"
                )
        found: dict[str, Any] = {}
        for table in settings.file_tables:
            values = tables.get(table, {})
            if not isinstance(values, dict):
                raise InvalidSettings(f"[{table}] in {path} must be a table of settings")
            known = settings.file_names(table)
            for name, value in values.items():
                if name not in known:
                    raise InvalidSettings(
                        f"{path} sets {name!r} in [{table}], which is not a known setting"
                        f"{_meant(name, known)}"
                    )
                found[known[name]] = value
        return found


def _open_at_once(path: str, flags: int) -> int:
    """Does not wait for a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read_toml(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidSettings(f"JOBS_CONFIG names {path}, which is not a regular file")
            text = file.read().decode("utf-8-sig")
        return tomllib.loads(text.replace("\r\n", "\n"))
    except OSError as exc:
        raise InvalidSettings(
            f"JOBS_CONFIG names {path}, which cannot be read: {exc.strerror}"
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InvalidSettings(f"JOBS_CONFIG names {path}, which is not valid TOML: {exc}") from exc
    except RecursionError:
        raise InvalidSettings(
            f"JOBS_CONFIG names {path}, which cannot be read: {_TOO_DEEP}"
        ) from None


def _meant(name: str, known: Iterable[str]) -> str:
    return ask_meant(find_nearest(name, known))


class OurSettings(BaseSettings):
    """Base: the sources, the check for unknown names, errors as one sentence."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=False
    )

    prefix: ClassVar[str]
    file_tables: ClassVar[tuple[str, ...]]

    def __init__(self, **given: Any) -> None:
        """Values that count more than those of environment and file.

        Raises InvalidSettings for a name that is none, and pydantic's ValidationError.
        """
        known = {*type(self).model_fields, *map(self.env_name, type(self).model_fields)}
        for name in given:
            if not name.startswith("_") and name not in known:
                raise InvalidSettings(
                    f"{name} is not a setting of {type(self).__name__}{_meant(name, known)}"
                )
        super().__init__(**given)

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        """Blanks around a value mean nothing, as where a file of settings was pasted."""
        return value.strip() if isinstance(value, str) else value

    @classmethod
    def env_name(cls, field_name: str) -> str:
        """The environment variable of a field."""
        alias = cls.model_fields[field_name].validation_alias
        if isinstance(alias, AliasChoices):
            return str(alias.choices[0]).upper()
        return f"{cls.prefix}{field_name}".upper()

    @classmethod
    def file_names(cls, table: str) -> dict[str, str]:
        """Key in the file's table → field."""
        prefix = f"{table}_"
        return {
            re.sub(rf"^(?:{prefix}|job_queue_|jobs_)", "", cls.env_name(field).lower()): field
            for field in cls.model_fields
            if cls.env_name(field).lower().startswith(prefix)
            or (table == "jobs_maint" and not cls.env_name(field).startswith(cls.prefix))
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  no .env is read by the product
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _ConfigFile(settings_cls)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read and check all settings; raises InvalidSettings with one sentence per problem."""
        cls._refuse_unknown_names(os.environ)
        try:
            return cls(**overrides)
        except ValidationError as exc:
            raise InvalidSettings(cls._sentences(exc)) from None
        except RecursionError:
            raise InvalidSettings(f"A setting cannot be read: {_TOO_DEEP}") from None

    @classmethod
    def _refuse_unknown_names(cls, environ: Mapping[str, str]) -> None:
        known = {cls.env_name(field) for field in cls.model_fields}
        for name, value in environ.items():
            upper = name.upper()
            if not upper.startswith(cls.prefix) or upper in known:
                continue
            if is_service_link(upper.removeprefix(cls.prefix), value):
                continue
            rest = {
                full.removeprefix(cls.prefix).removeprefix("JOB_QUEUE_"): full
                for full in sorted(known)
            }
            near = find_nearest(upper.removeprefix(cls.prefix), rest)
            raise InvalidSettings(
                f"{name} is not a known setting{ask_meant(rest[one] for one in near)}"
            )

    @classmethod
    def _sentences(cls, exc: ValidationError) -> str:
        lines = []
        for error in exc.errors(include_url=False):
            place = [str(part) for part in error["loc"]]
            field = place[0] if place else ""
            by_env = {cls.env_name(f).lower(): f for f in cls.model_fields}
            field = by_env.get(field.lower(), field)
            name = cls.env_name(field) if field in cls.model_fields else field
            inner = "".join(f"[{part}]" for part in place[1:])
            text = say_wrong(error)
            if error["type"] == "missing" and not inner:
                text = "it is not set"
            if re.fullmatch(r"(['\"]).*\1", str(error["input"]).strip(), re.DOTALL):
                text += "; the quotes around it are part of the value, take them away"
            lines.append(f"{name}{inner}: {text}" if name else text)
        return "; ".join(lines)


def _is_no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it must be a number")  # noqa: TRY004  pydantic's word for all of these
    return value


def _environment(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        return None
    name = value.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,19}", name):
        raise ValueError(
            f"{value!r} is not a name for an environment; write up to 20 letters from a to z, "
            "digits, spaces, '.', '_' or '-', such as 'staging'"
        )
    return name


class MaintSettings(OurSettings):
    """Settings of core, shell and periodic tasks; their names: `docs/reference/settings.md`."""

    model_config = SettingsConfigDict(env_prefix="JOBS_MAINT_")
    prefix: ClassVar[str] = "JOBS_MAINT_"
    file_tables: ClassVar[tuple[str, ...]] = ("jobs_maint",)

    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("JOB_QUEUE_DATABASE_URL")
    )
    environment: Annotated[str | None, BeforeValidator(_environment)] = Field(
        default=None, validation_alias=AliasChoices("JOBS_ENVIRONMENT")
    )
    worker_database_url: Annotated[SecretStr | None, BeforeValidator(_blank_is_unset)] = None
    queue: str = "maintenance"
    purge_cron: Cron = _DEFAULT_CRONS[0]
    keep_succeeded: Retention = timedelta(days=30)
    keep_failed: Retention = timedelta(days=90)
    keep_cancelled: Retention = timedelta(days=30)
    keep_aborted: Retention = timedelta(days=30)
    keep_audit: Retention = timedelta(days=400)
    purge_time_limit: Duration = timedelta(minutes=30)
    rescue_cron: Cron = _DEFAULT_CRONS[1]
    beat: Duration = timedelta(seconds=10)
    stalled_after: Duration = timedelta(minutes=5)
    stalled_after_unknown: Duration = timedelta(hours=1)
    max_rescues: Annotated[int, BeforeValidator(_is_no_switch), Field(ge=0, le=1000)] = 3
    rescue_policy: Annotated[
        dict[str, Literal["retry", "fail"]], NoDecode, JsonText, AfterValidator(check_names)
    ] = {}
    redact: Annotated[list[str], NoDecode, JsonText, AfterValidator(check_names)] = []
    redact_pii: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stalled_after <= 3 * self.beat:
            raise ValueError(
                f"JOBS_MAINT_STALLED_AFTER ({format_duration(self.stalled_after)}) must be longer "
                f"than three beats (JOBS_MAINT_BEAT is {format_duration(self.beat)}), or the "
                "rescue would take jobs away from live workers"
            )
        if self.stalled_after_unknown < self.stalled_after:
            raise ValueError(
                "JOBS_MAINT_STALLED_AFTER_UNKNOWN "
                f"({format_duration(self.stalled_after_unknown)}) must not be shorter than "
                f"JOBS_MAINT_STALLED_AFTER ({format_duration(self.stalled_after)})"
            )
        for field in (
            "keep_succeeded",
            "keep_failed",
            "keep_cancelled",
            "keep_aborted",
            "keep_audit",
        ):
            span = getattr(self, field)
            if span is not None and span <= timedelta():
                raise ValueError(
                    f"{self.env_name(field)} is 0, which would keep nothing; "
                    "write a span such as 30d, or 'never'"
                )
        if not re.fullmatch(r"[!-~](?:[ -~]{0,38}[!-~])?", self.queue):
            # A tick that the database cannot store ends the worker that defers it.
            raise ValueError(
                f"JOBS_MAINT_QUEUE is {self.queue!r}; write a queue name of 1 to 40 ASCII letters, "
                "digits and signs"
            )
        return self

    def require_database_url(self) -> str:
        """The URL of the jobs database; raises InvalidSettings when it is not set."""
        return _require_url(
            self.database_url,
            "JOB_QUEUE_DATABASE_URL is not set; set it to the URL of the jobs database, "
            "such as postgresql://user:password@host:5432/jobs",
        )

    def require_worker_database_url(self) -> str:
        """The URL for apps whose connector has no psycopg pool; raises InvalidSettings without."""
        return _require_url(
            self.worker_database_url,
            "JOBS_MAINT_WORKER_DATABASE_URL is not set, and this app's connector has no psycopg "
            "pool; set it to the URL of the database that the connector uses",
        )


def _require_url(value: SecretStr | None, sentence: str) -> str:
    url = value.get_secret_value().strip() if value else ""
    if not url:
        raise InvalidSettings(sentence)
    return url
