"""The columns of the two master tables: their order in our files, and what each wing needs.

Unknown columns of the source are kept behind the known ones. A column that an error rule or a join
reads must be there; the rest may be missing.
"""

from dataclasses import dataclass

from outreach_platform.foundation.rules import RuleSet
from outreach_platform.records.rules import COMPANY_RULES, PEOPLE_RULES

COMPANY_COLUMNS = (
    "company_unique_id",
    "company_name",
    "website_url",
    "industry",
    "employee_count",
    "company_phone",
    "address_street",
    "address_city",
    "address_state",
    "address_zip",
    "address_country",
    "linkedin_url",
    "facebook_url",
    "twitter_url",
    "sic_codes",
    "founded_year",
    "keywords",
    "description",
    "source_system",
    "source_record_id",
    "promoted_from_intake_at",
    "promotion_audit_log_id",
    "created_at",
    "updated_at",
    "state_abbrev",
    "import_batch_id",
    "validated_at",
    "validated_by",
    "data_quality_score",
)

PEOPLE_COLUMNS = (
    "unique_id",
    "company_unique_id",
    "company_slot_unique_id",
    "first_name",
    "last_name",
    "full_name",
    "title",
    "seniority",
    "department",
    "email",
    "work_phone_e164",
    "personal_phone_e164",
    "linkedin_url",
    "twitter_url",
    "facebook_url",
    "bio",
    "skills",
    "education",
    "certifications",
    "source_system",
    "source_record_id",
    "promoted_from_intake_at",
    "promotion_audit_log_id",
    "created_at",
    "updated_at",
    "email_verified",
    "message_key_scheduled",
    "email_verification_source",
    "email_verified_at",
)

# A company's state stands in either of these; one of them must be there.
STATE_COLUMNS = ("address_state", "state_abbrev")


@dataclass(frozen=True)
class Entity:
    """One of the two master tables.

    Attributes:
        name: `companies` or `people`, as in file names and asset keys.
        table: its name in PostgreSQL, without the schema.
        id_column: the primary key.
        columns: known columns in the order of our files.
        rules: what its rows are judged by.
    """

    name: str
    table: str
    id_column: str
    columns: tuple[str, ...]
    rules: RuleSet

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns without which the table cannot be pulled and judged."""
        return tuple(dict.fromkeys((self.id_column, *self.rules.required_columns)))


COMPANIES = Entity(
    "companies", "company_master", "company_unique_id", COMPANY_COLUMNS, COMPANY_RULES
)
PEOPLE = Entity("people", "people_master", "unique_id", PEOPLE_COLUMNS, PEOPLE_RULES)
ENTITIES = (COMPANIES, PEOPLE)
