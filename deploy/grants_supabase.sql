-- Rights on the enrichers' workspace, for its owner to run after the first `outreach enrich pull`:
--   psql "$OWNER_URL" -v ON_ERROR_STOP=1 -f deploy/grants_supabase.sql
-- outreach_platform is what SUPABASE_DATABASE_URL's user is a member of, outreach_enrichers the
-- people who complete rows. Neither can delete one.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outreach_platform') THEN
        CREATE ROLE outreach_platform NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outreach_enrichers') THEN
        CREATE ROLE outreach_enrichers NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO outreach_platform, outreach_enrichers;
GRANT SELECT, INSERT, UPDATE ON public.company_needs_enrichment, public.people_needs_enrichment
    TO outreach_platform;
GRANT USAGE ON SEQUENCE public.company_needs_enrichment_id_seq, public.people_needs_enrichment_id_seq
    TO outreach_platform;
GRANT SELECT, UPDATE ON public.company_needs_enrichment, public.people_needs_enrichment
    TO outreach_enrichers;
