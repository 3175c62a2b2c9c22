-- Rights on the masters' database, for its owner to run, again at any time:
--   psql "$OWNER_URL" -v ON_ERROR_STOP=1 -f deploy/grants_neon.sql
-- outreach_snapshots can read companies and people and write the audit log: snapshots and overrides.
-- outreach_platform can do that and enrichment. The URL's user is a member of one of the two:
--   CREATE ROLE ann LOGIN PASSWORD '…' IN ROLE outreach_snapshots;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outreach_snapshots') THEN
        CREATE ROLE outreach_snapshots NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outreach_platform') THEN
        CREATE ROLE outreach_platform NOLOGIN;
    END IF;
END
$$;

-- Made here, so that no role needs CREATE; the same statements as the platform's own.
CREATE SCHEMA IF NOT EXISTS shq;
CREATE TABLE IF NOT EXISTS shq.audit_log (
    id serial PRIMARY KEY,
    event_type varchar(255) NOT NULL,
    event_source varchar(255) NOT NULL,
    details jsonb,
    created_at timestamptz DEFAULT now()
);
CREATE TABLE IF NOT EXISTS shq.kill_switch_overrides (
    id serial PRIMARY KEY,
    state varchar(2) NOT NULL,
    kill_switch varchar(2) NOT NULL CHECK (kill_switch IN ('K1', 'K2')),
    valid_until date NOT NULL,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Snapshots.
GRANT USAGE ON SCHEMA marketing, shq TO outreach_snapshots, outreach_platform;
GRANT SELECT ON marketing.company_master, marketing.people_master
    TO outreach_snapshots, outreach_platform;
GRANT SELECT, INSERT ON shq.audit_log, shq.kill_switch_overrides
    TO outreach_snapshots, outreach_platform;
GRANT USAGE ON SEQUENCE shq.audit_log_id_seq, shq.kill_switch_overrides_id_seq
    TO outreach_snapshots, outreach_platform;

-- Enrichment, once its owner has run `outreach enrich pull` one time, which makes what is missing.
DO $$
BEGIN
    IF to_regclass('marketing.promotion_history') IS NULL THEN
        RAISE NOTICE 'no enrichment tables yet: run `outreach enrich pull` as their owner, then this file again';
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA public TO outreach_platform;
    GRANT SELECT, INSERT, UPDATE, DELETE ON marketing.company_invalid, marketing.people_invalid,
        marketing.company_slot TO outreach_platform;
    -- DELETE is for `outreach enrich undo` alone.
    GRANT INSERT, UPDATE, DELETE ON marketing.company_master, marketing.people_master
        TO outreach_platform;
    GRANT SELECT, INSERT, UPDATE ON marketing.promotion_history, marketing.enrichment_conflicts,
        public.shq_validation_log TO outreach_platform;
    GRANT UPDATE ON shq.audit_log TO outreach_platform;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA marketing, public TO outreach_platform;
END
$$;
