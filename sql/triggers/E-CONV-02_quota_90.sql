-- E-CONV-02  Free quota at 90 %                                            marketing, capped, priority 55
--
-- cause       scan, every 15 minutes: a free project has started params.threshold (45) deployments this UTC month, and
--             fewer than params.quota (50)
-- fact's time when the 45th deployment started: a project that got there before active_since hears of it next month
-- when        now (within the hour of the 45th deployment)
-- key         free_quota_90:{project}:{month}
-- still true  the month is not over, the project is still free and has used at least the threshold and less than the quota
-- figures     deployments_used, deployments_limit, estimated_days_left, deployments_per_day, alerts, resets_on
-- params      threshold, quota (the Free plan's deployments per month)
-- reads       as E-CONV-01, in whose file the two functions stand that do the work
create or replace function public.email_conv_02_audience()
returns table (user_id uuid, project_id uuid, dedupe_key text, run_at timestamptz, payload jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select a.*
    from public.email_types t
    cross join lateral public.email_quota_audience(
        t.code, 'free_quota_90', (t.params ->> 'threshold')::integer, coalesce((t.params ->> 'quota')::integer, 50)
    ) a
    where t.code = 'E-CONV-02';
end
$$;
comment on function public.email_conv_02_audience() is 'E-CONV-02: free projects between the 90 % threshold and the quota this UTC month.';
revoke all on function public.email_conv_02_audience() from public;

create or replace function public.email_conv_02_current(ids bigint[])
returns table (id bigint, untrue text, context jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select c.*
    from public.email_types t
    cross join lateral public.email_quota_current(
        ids, (t.params ->> 'threshold')::integer, coalesce((t.params ->> 'quota')::integer, 50), coalesce((t.params ->> 'quota')::integer, 50)
    ) c
    where t.code = 'E-CONV-02';
end
$$;
comment on function public.email_conv_02_current(bigint[]) is
'E-CONV-02: true while the month lasts and the project is free and between the threshold and the quota.';
revoke all on function public.email_conv_02_current(bigint[]) from public;

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_worker', 'email_admin']) r (role_name)
cross join (values
    ('execute on function public.email_conv_02_audience(), public.email_conv_02_current(bigint[])')
) g (privileges);
