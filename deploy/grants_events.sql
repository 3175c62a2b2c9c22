-- Rights on the database of behavioural events, for its owner to run: reading, nothing else.
--   psql "$OWNER_URL" -v ON_ERROR_STOP=1 -f deploy/grants_events.sql
-- Where the tables stand in another schema than public, or under other names, change them here.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outreach_events') THEN
        CREATE ROLE outreach_events NOLOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO outreach_events;
GRANT SELECT ON public."BehavioralEvent" TO outreach_events;
-- Without these two there are events, but no experiments to analyse.
DO $$
BEGIN
    IF to_regclass('public.experiment_protocols') IS NOT NULL THEN
        GRANT SELECT ON public.experiment_protocols TO outreach_events;
    END IF;
    IF to_regclass('public.phase_assignments') IS NOT NULL THEN
        GRANT SELECT ON public.phase_assignments TO outreach_events;
    END IF;
END
$$;
