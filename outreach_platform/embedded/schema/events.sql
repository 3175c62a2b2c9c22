-- Behavioural events the way Prisma migrates them: camel-case names, enums, naive UTC milliseconds.
DO $$
BEGIN
    IF to_regtype('public."EventType"') IS NULL THEN
        CREATE TYPE public."EventType" AS ENUM (
            'MISSION_STARTED', 'MISSION_COMPLETED', 'CARD_REVIEWED', 'VALIDATION_COMPLETED',
            'SESSION_STARTED', 'SESSION_ENDED', 'LECTURE_UPLOADED', 'SEARCH_PERFORMED',
            'GRAPH_VIEWED', 'RECOMMENDATION_VIEWED', 'RECOMMENDATION_CLICKED',
            'RECOMMENDATION_DISMISSED', 'RECOMMENDATION_RATED'
        );
    END IF;
    IF to_regtype('public."CompletionQuality"') IS NULL THEN
        CREATE TYPE public."CompletionQuality" AS ENUM ('RUSHED', 'NORMAL', 'THOROUGH');
    END IF;
    IF to_regtype('public."EngagementLevel"') IS NULL THEN
        CREATE TYPE public."EngagementLevel" AS ENUM ('LOW', 'MEDIUM', 'HIGH');
    END IF;
    IF to_regtype('public."DesignType"') IS NULL THEN
        CREATE TYPE public."DesignType" AS ENUM (
            'ABAB', 'MULTIPLE_BASELINE', 'ALTERNATING', 'CHANGING_CRITERION'
        );
    END IF;
    IF to_regtype('public."PhaseType"') IS NULL THEN
        CREATE TYPE public."PhaseType" AS ENUM (
            'BASELINE', 'INTERVENTION_A', 'INTERVENTION_B', 'WITHDRAWAL'
        );
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS public."BehavioralEvent" (
    "id" text PRIMARY KEY,
    "userId" text NOT NULL,
    "eventType" public."EventType" NOT NULL,
    "eventData" jsonb NOT NULL,
    "timestamp" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completionQuality" public."CompletionQuality",
    "contentType" text,
    "difficultyLevel" text,
    "dayOfWeek" integer,
    "engagementLevel" public."EngagementLevel",
    "sessionPerformanceScore" integer,
    "timeOfDay" integer,
    "experimentPhase" text,
    "randomizationSeed" integer,
    "contextMetadataId" text
);

CREATE INDEX IF NOT EXISTS "BehavioralEvent_userId_timestamp_idx"
    ON public."BehavioralEvent" ("userId", "timestamp");
CREATE INDEX IF NOT EXISTS "BehavioralEvent_timestamp_idx"
    ON public."BehavioralEvent" ("timestamp");

CREATE TABLE IF NOT EXISTS public.experiment_protocols (
    "id" text PRIMARY KEY,
    "userId" text NOT NULL,
    "protocolName" text NOT NULL,
    "designType" public."DesignType" NOT NULL,
    "startDate" timestamp(3) NOT NULL,
    "endDate" timestamp(3),
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE IF NOT EXISTS public.phase_assignments (
    "id" text PRIMARY KEY,
    "protocolId" text NOT NULL REFERENCES public.experiment_protocols ("id"),
    "phaseLabel" text NOT NULL,
    "phaseType" public."PhaseType" NOT NULL,
    "startDate" timestamp(3) NOT NULL,
    "endDate" timestamp(3)
);

CREATE TABLE IF NOT EXISTS public.context_metadata (
    "id" text PRIMARY KEY,
    "userId" text NOT NULL,
    "deviceType" text,
    "environment" text,
    "details" jsonb,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
