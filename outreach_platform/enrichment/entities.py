"""The two kinds of record that are enriched: their tables, columns, and where each column goes."""

from dataclasses import dataclass

from outreach_platform.foundation.errors import UsageError
from outreach_platform.records import barton

STATUSES = ("pending", "in_progress", "complete", "failed")


@dataclass(frozen=True)
class Entity:
    """Companies or people on their way through the workspace.

    Attributes:
        name: `company` or `people`, as commands and records call it.
        key: the business key, the same column in all three tables.
        key_pattern: what a Barton id of this kind looks like.
        invalid: the table of records that failed, in the masters' schema.
        workspace: the enrichers' table, in `public`.
        master: the table that good records are promoted to.
        types: data columns in the order in which they are hashed, with their PostgreSQL types.
        to_master: columns of the master by the data column they are filled from.
    """

    name: str
    key: str
    key_pattern: str
    invalid: str
    workspace: str
    master: str
    types: dict[str, str]
    to_master: dict[str, tuple[str, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The data columns, in order."""
        return tuple(self.types)


COMPANY = Entity(
    name="company",
    key="company_unique_id",
    key_pattern=barton.COMPANY,
    invalid="company_invalid",
    workspace="company_needs_enrichment",
    master="company_master",
    types={
        "company_name": "text",
        "domain": "text",
        "industry": "text",
        "employee_count": "integer",
        "website": "text",
        "phone": "text",
        "address": "text",
        "city": "text",
        "state": "text",
        "zip": "text",
    },
    to_master={
        "company_name": ("company_name",),
        "website": ("website_url",),
        "industry": ("industry",),
        "employee_count": ("employee_count",),
        "phone": ("company_phone",),
        "address": ("address_street",),
        "city": ("address_city",),
        "state": ("address_state", "state_abbrev"),
        "zip": ("address_zip",),
    },
)

PEOPLE = Entity(
    name="people",
    key="unique_id",
    key_pattern=barton.PERSON,
    invalid="people_invalid",
    workspace="people_needs_enrichment",
    master="people_master",
    types={
        "full_name": "text",
        "first_name": "text",
        "last_name": "text",
        "email": "text",
        "phone": "text",
        "title": "text",
        "company_name": "text",
        "company_unique_id": "text",
        "linkedin_url": "text",
        "city": "text",
        "state": "text",
    },
    to_master={
        "first_name": ("first_name",),
        "last_name": ("last_name",),
        "email": ("email",),
        "phone": ("work_phone_e164",),
        "title": ("title",),
        "company_unique_id": ("company_unique_id",),
        "linkedin_url": ("linkedin_url",),
    },
)

ENTITIES = (COMPANY, PEOPLE)


def entity_named(name: str) -> Entity:
    """The entity that a user named.

    Raises:
        UsageError: there is none of that name.
    """
    for entity in ENTITIES:
        if entity.name == name:
            return entity
    raise UsageError(f"{name!r} is neither company nor people")
