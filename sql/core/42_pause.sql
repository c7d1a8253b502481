-- Pausing because the provider refuses the whole account (bad key, quota, blocked): everything stops at once for every
-- sidecar, no attempt is spent, and one message tries from time to time whether that is over.  A person's pause is never tried.

create or replace function public.email_claim_size(batch_size integer) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    settings record;
begin
    select s.paused_at, s.paused_by, s.probe_at, s.armed_for into settings from public.email_settings s;
    return case
        when settings.armed_for is distinct from public.email_identity() then 0
        when settings.paused_at is null then batch_size
        when settings.paused_by = 'provider' and settings.probe_at <= clock_timestamp() then 1
        else 0
    end;
end
$$;
comment on function public.email_claim_size(integer) is
'How many rows may be claimed now: batch_size; 1 when a probe is due (call email_take_probe before using it); 0 when nothing is sent.';
revoke all on function public.email_claim_size(integer) from public;

create or replace function public.email_take_probe(worker text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if (select s.paused_at is null from public.email_settings s) then
        return true;
    end if;
    -- The next one is due in a minute even if this one tells nothing.
    update public.email_settings s set probe_at = clock_timestamp() + interval '1 minute', probed_by = worker
    where s.paused_at is not null and s.paused_by = 'provider' and s.probe_at <= clock_timestamp();
    return found;
end
$$;
comment on function public.email_take_probe(text) is
'Whether this sidecar may send what it has picked: yes when nothing is paused; while the provider has paused sending, yes for the one sidecar that gets the probe that is due.';
revoke all on function public.email_take_probe(text) from public;

create or replace function public.email_may_send(worker text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select s.armed_for is not distinct from public.email_identity()
            and (s.paused_at is null or (s.paused_by = 'provider' and s.probed_by = worker))
        from public.email_settings s
    );
end
$$;
comment on function public.email_may_send(text) is 'Whether a request of this sidecar may leave now: sending is armed and not paused, or this sidecar holds the probe.';
revoke all on function public.email_may_send(text) from public;

create or replace function public.email_provider_refused(why text, worker text default null, until timestamptz default null) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update public.email_settings s set
        paused_at = coalesce(s.paused_at, public.email_now()),
        paused_reason = why,
        paused_by = 'provider',
        probes = case when s.paused_at is null then 0 else s.probes + 1 end,
        probe_at = greatest(
            until,
            clock_timestamp() + least(interval '1 minute' * power(2, case when s.paused_at is null then 0 else least(s.probes + 1, 10) end), interval '1 hour')),
        probed_by = case when s.paused_at is not null then s.probed_by end
    -- Requests that were under way when the first one was refused say nothing new.
    where s.paused_at is null or (s.paused_by = 'provider' and s.probed_by = worker);
end
$$;
comment on function public.email_provider_refused(text, text, timestamptz) is
'Stops everything because the provider refuses the whole account. One message probes after a minute (or when the provider said), then after 2, 4, 8 … minutes, at most an hour; email_resume() tries at once. A person''s pause stays theirs.';
revoke all on function public.email_provider_refused(text, text, timestamptz) from public;

create or replace function public.email_provider_relented(worker text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if (select s.probed_by is distinct from worker from public.email_settings s) then
        return;
    end if;
    update public.email_settings s set
        paused_at = null, paused_reason = null, paused_by = null, probe_at = null, probes = 0, probed_by = null
    where s.paused_by = 'provider' and s.probed_by = worker;
end
$$;
comment on function public.email_provider_relented(text) is 'Ends a pause the provider caused, when this sidecar''s probe was answered.';
revoke all on function public.email_provider_relented(text) from public;

select public.email_grant(
    'execute on function public.email_claim_size(integer), public.email_take_probe(text), public.email_may_send(text), public.email_provider_refused(text, text, timestamptz), public.email_provider_relented(text)',
    'email_worker');
select public.email_grant('update (paused_at, paused_reason, paused_by, probe_at, probes, probed_by) on public.email_settings', 'email_worker');
