-- The enrichers' workspace. The trigger that moves updated_at and later columns are the enrichment
-- wing's, which adds them to any workspace that lacks them. Naive timestamps mean UTC.
CREATE TABLE IF NOT EXISTS public.company_needs_enrichment (
    id bigserial PRIMARY KEY,
    neon_id bigint,
    company_unique_id text NOT NULL UNIQUE,
    source_batch_id text,
    company_name text,
    domain text,
    industry text,
    employee_count integer,
    website text,
    phone text,
    address text,
    city text,
    state text,
    zip text,
    original_validation_errors jsonb,
    original_validation_warnings jsonb,
    reason_code text,
    enrichment_status text DEFAULT 'pending'
        CHECK (enrichment_status IN ('pending', 'in_progress', 'complete', 'failed')),
    enrichment_notes text,
    enriched_by text,
    enriched_at timestamp,
    pulled_from_neon_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    pushed_to_neon_at timestamp,
    last_sync_hash text,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE TABLE IF NOT EXISTS public.people_needs_enrichment (
    id bigserial PRIMARY KEY,
    neon_id bigint,
    unique_id text NOT NULL UNIQUE,
    source_batch_id text,
    full_name text,
    first_name text,
    last_name text,
    email text,
    phone text,
    title text,
    company_name text,
    company_unique_id text,
    linkedin_url text,
    city text,
    state text,
    original_validation_errors jsonb,
    original_validation_warnings jsonb,
    reason_code text,
    enrichment_status text DEFAULT 'pending'
        CHECK (enrichment_status IN ('pending', 'in_progress', 'complete', 'failed')),
    enrichment_notes text,
    enriched_by text,
    enriched_at timestamp,
    pulled_from_neon_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    pushed_to_neon_at timestamp,
    last_sync_hash text,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE INDEX IF NOT EXISTS company_needs_enrichment_status
    ON public.company_needs_enrichment (enrichment_status);
CREATE INDEX IF NOT EXISTS company_needs_enrichment_key
    ON public.company_needs_enrichment (company_unique_id);
CREATE INDEX IF NOT EXISTS company_needs_enrichment_status_pushed
    ON public.company_needs_enrichment (enrichment_status, pushed_to_neon_at);
CREATE INDEX IF NOT EXISTS people_needs_enrichment_status
    ON public.people_needs_enrichment (enrichment_status);
CREATE INDEX IF NOT EXISTS people_needs_enrichment_key
    ON public.people_needs_enrichment (unique_id);
CREATE INDEX IF NOT EXISTS people_needs_enrichment_status_pushed
    ON public.people_needs_enrichment (enrichment_status, pushed_to_neon_at);
