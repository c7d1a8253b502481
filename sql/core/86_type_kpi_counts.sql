-- What each email's own KPI is counted from: one step per family of letters, and email_type_kpi_counts(), which puts them together.
--
-- Holdout and recipients are compared on equal terms: whether a letter is still true is asked after the holdout, so a user held out
-- may have done already what the letter asks for; such cases count on neither side.
--
-- A step that reads the application's tables is guarded on its own: when a column is gone, that family is null with measured 0 and
-- the others still answer.

create or replace function public.email_type_kpi_projects(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    begin
        return query
        select l.email_type, 'project_created_24h', l.held_out, count(*) filter (where p.created_at is not null), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-TRX-01', 'E-ACT-01'], since - interval '24 hours', until - interval '24 hours') l
        join public.users u on u.id = l.user_id
        left join lateral (
            select min(p.created_at) as created_at from public.projects p
            where p.owner_id = u.id and p.created_at <= u.created_at + interval '24 hours'
        ) p on true
        where l.email_type = 'E-TRX-01' or p.created_at is null or p.created_at >= l.at
        group by l.email_type, l.held_out;
    exception when undefined_column or undefined_table then null;
    end;
end
$$;
comment on function public.email_type_kpi_projects(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-TRX-01 and E-ACT-01: a project within 24 hours of the sign-up.';
revoke all on function public.email_type_kpi_projects(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_invitations(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select 'E-TRX-02', 'invitation_accepted_7d', i.held_out, count(*) filter (where a.accepted_at <= i.first_at + interval '7 days'), count(*), count(*), null::numeric
    from (
        select split_part(l.dedupe_key, ':', 2) as invitation_id, l.held_out, min(l.at) as first_at
        from public.email_kpi_letters(array['E-TRX-02'], since - interval '17 days', until) l
        group by split_part(l.dedupe_key, ':', 2), l.held_out
    ) i
    cross join lateral (
        select min(s.occurred_at) as accepted_at from public.email_signals s
        where s.kind in ('invitation_accepted', 'invitation_revoked') and s.kind = 'invitation_accepted' and s.payload ->> 'invitation_id' = i.invitation_id
    ) a
    where i.first_at > since - interval '7 days' and i.first_at <= until - interval '7 days'
    and (a.accepted_at is null or a.accepted_at >= i.first_at)
    group by i.held_out;
end
$$;
comment on function public.email_type_kpi_invitations(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-TRX-02: an invitation accepted within seven days of its first letter.';
revoke all on function public.email_type_kpi_invitations(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_twofa(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select 'E-SEC-01', 'reaction_time', false, count(r.reacted_at), count(*), count(*),
        (percentile_cont(0.5) within group (order by extract(epoch from r.reacted_at - l.at)::double precision / 60))::numeric
    from public.email_kpi_letters(array['E-SEC-01'], since - interval '7 days', until - interval '7 days') l
    cross join lateral (
        select min(d.created_at) as reacted_at from public.email_deliveries d
        where d.user_id = l.user_id and d.email_type = 'E-SEC-01' and split_part(d.dedupe_key, ':', 3) = 'on'
        and d.created_at > l.at and d.created_at <= l.at + interval '7 days'
    ) r
    where not l.held_out and split_part(l.dedupe_key, ':', 3) = 'off'
    -- On again within an hour: a new telephone was set up, nobody reacted to anything.
    and (r.reacted_at is null or r.reacted_at > l.at + interval '1 hour');
end
$$;
comment on function public.email_type_kpi_twofa(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-SEC-01: from the alert that two-factor authentication is off to its being on again, within seven days and not within an hour.';
revoke all on function public.email_type_kpi_twofa(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_deployments(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- A first deployment within 72 hours of the project.
    begin
        return query
        select 'E-ACT-02', 'first_deployment_72h', l.held_out, count(*) filter (where d.started_at <= p.created_at + interval '72 hours'), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-ACT-02'], since - interval '72 hours', until - interval '72 hours') l
        join public.projects p on p.id = l.project_id
        cross join lateral (select min(d.started_at) as started_at from public.deployments d where d.project_id = p.id) d
        where d.started_at is null or d.started_at >= l.at
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- A deployment finished within seven days of the letter.
    begin
        return query
        select 'E-ACT-03', 'deployment_finished_7d', l.held_out, count(*) filter (where d.finished_at <= l.at + interval '7 days'), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-ACT-03'], since - interval '7 days', until - interval '7 days') l
        cross join lateral (select min(d.finished_at) as finished_at from public.deployments d where d.project_id = l.project_id) d
        where d.finished_at is null or d.finished_at >= l.at
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;
end
$$;
comment on function public.email_type_kpi_deployments(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-ACT-02 and E-ACT-03: a first deployment within 72 hours of the project; a deployment finished within seven days of the letter.';
revoke all on function public.email_type_kpi_deployments(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_feedback(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- Opens and clicks.  None of E-SEC-02: security mail is never tracked.
    return query
    select l.email_type, w.kpi, false, count(*) filter (where case w.event_type when 'opened' then f.opened else f.clicked end),
        count(*), count(*) filter (where f.tracked), null::numeric
    from public.email_kpi_letters(array['E-ACT-04', 'E-ADV-02'], since, until) l
    join (values
        ('E-ACT-04', 'open_rate', 'opened'), ('E-ACT-04', 'click_rate', 'clicked'), ('E-ADV-02', 'review_click_rate', 'clicked')
    ) w (code, kpi, event_type) on w.code = l.email_type
    cross join lateral public.email_kpi_feedback(l.id, l.user_id, l.dedupe_key) f
    where not l.held_out
    group by l.email_type, w.kpi;
end
$$;
comment on function public.email_type_kpi_feedback(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-ACT-04 and E-ADV-02: opens and clicks.';
revoke all on function public.email_type_kpi_feedback(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_verdicts(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- Per deployment: from the first alert to the first look at the verdict, within 24 hours.
    return query
    select 'E-ACT-05', 'time_to_first_useful_read', false, count(v.viewed_at), count(*), count(*),
        (percentile_cont(0.5) within group (order by extract(epoch from v.viewed_at - a.first_at)::double precision / 60))::numeric
    from (
        select split_part(l.dedupe_key, ':', 2) as deployment_id, min(l.at) as first_at
        from public.email_kpi_letters(array['E-ACT-05'], since - interval '24 hours', until - interval '24 hours') l
        where not l.held_out
        group by split_part(l.dedupe_key, ':', 2)
    ) a
    cross join lateral (
        select min(s.occurred_at) as viewed_at from public.email_signals s
        where s.kind = 'verdict_viewed' and s.payload ->> 'deployment_id' = a.deployment_id
        and s.occurred_at >= a.first_at and s.occurred_at <= a.first_at + interval '24 hours'
    ) v;

    -- Per deployment: from the first alert to the next verdict "ok" of its project and environment, within seven days.
    begin
        return query
        select 'E-ACT-05', 'mttr', false, count(r.recovered_at), count(*), count(*),
            (percentile_cont(0.5) within group (order by extract(epoch from r.recovered_at - a.first_at)::double precision / 60))::numeric
        from (
            select public.email_key_id(l.dedupe_key, 2) as deployment_id, min(l.at) as first_at
            from public.email_kpi_letters(array['E-ACT-05'], since - interval '7 days', until - interval '7 days') l
            where not l.held_out
            group by public.email_key_id(l.dedupe_key, 2)
        ) a
        join public.deployments b on b.id = a.deployment_id
        cross join lateral (
            select min(v.created_at) as recovered_at
            from public.deployments d join public.deployment_verdicts v on v.deployment_id = d.id
            where d.project_id = b.project_id and d.env = b.env and d.started_at > b.started_at and d.started_at <= a.first_at + interval '7 days'
            and v.verdict = 'ok' and v.created_at > a.first_at and v.created_at <= a.first_at + interval '7 days'
        ) r;
    exception when undefined_column or undefined_table then null;
    end;
end
$$;
comment on function public.email_type_kpi_verdicts(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-ACT-05: from the first alert to the first look at the verdict, and to the next verdict "ok".';
revoke all on function public.email_type_kpi_verdicts(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_upgrades(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- From free to a paid plan; E-CONV-02 before a deployment was refused.
    return query
    select w.code, w.kpi, l.held_out,
        count(*) filter (where u.upgraded_at is not null and (w.code <> 'E-CONV-02' or not exists (
            select from public.email_signals s
            where s.project_id = l.project_id and s.kind = 'quota_refused' and s.occurred_at >= l.at and s.occurred_at < u.upgraded_at
        ))), count(*), count(*), null::numeric
    from (values
        ('E-CONV-01', 'upgrade_7d', interval '7 days'), ('E-CONV-02', 'upgrade_before_limit_7d', interval '7 days'),
        ('E-CONV-03', 'upgrade_24h', interval '24 hours'), ('E-CONV-04', 'upgrade_7d', interval '7 days'),
        ('E-CONV-05', 'upgrade_30d', interval '30 days')
    ) w (code, kpi, within)
    cross join lateral public.email_kpi_letters(array[w.code], since - w.within, until - w.within) l
    cross join lateral public.email_kpi_upgraded(l.project_id, l.user_id, l.at, l.at + w.within) u
    left join lateral (
        select s.payload ->> 'to' as plan from public.email_signals s
        where s.project_id = l.project_id and s.kind = 'plan_changed' and s.occurred_at < l.at
        order by s.occurred_at desc, s.id desc
        limit 1
    ) plan on true
    where coalesce(plan.plan, 'free') = 'free'
    group by w.code, w.kpi, l.held_out;

    -- Of those who clicked.
    return query
    select 'E-CONV-04', 'click_to_upgrade_7d', false,
        count(u.upgraded_at), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-CONV-04'], since - interval '7 days', until - interval '7 days') l
    cross join lateral public.email_kpi_feedback(l.id, l.user_id, l.dedupe_key) f
    cross join lateral public.email_kpi_upgraded(l.project_id, l.user_id, l.at, l.at + interval '7 days') u
    where not l.held_out and f.clicked;
end
$$;
comment on function public.email_type_kpi_upgrades(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-CONV-01 to E-CONV-05: from free to a paid plan.';
revoke all on function public.email_type_kpi_upgrades(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_returns(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
begin
    -- Active within seven days of the letter (for a sequence: of any of its letters).
    begin
        return query
        select r.email_type, case r.email_type when 'E-RET-01' then 'weekly_return' when 'E-RET-03' then 'return_14_to_21d' else 'win_back_7d' end, r.held_out,
            count(*) filter (where exists (
                select from unnest(r.letters) as l (at) cross join lateral public.email_activity(r.user_id, l.at, l.at + interval '7 days 1 microsecond')
            )), count(*), count(*), null::numeric
        from (
            select l.email_type, l.user_id, substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2}-[0-9]{2})') as day, l.held_out, array_agg(l.at) as letters, min(l.at) as first_at, max(l.at) as last_at
            from public.email_kpi_letters(array['E-RET-01', 'E-RET-03', 'E-RET-04'], since - interval '22 days', until) l
            group by l.email_type, l.user_id, substring(l.dedupe_key from ':([0-9]{4}-[0-9]{2}-[0-9]{2})'), l.held_out,
                case when l.email_type = 'E-RET-01' then l.dedupe_key end
        ) r
        where r.last_at > since - interval '7 days' and r.last_at <= until - interval '7 days'
        and (r.day is null or not exists (select from public.email_activity(r.user_id, (public.email_day(r.day) + 1)::timestamptz, r.first_at)))
        group by r.email_type, r.held_out;
    exception when undefined_column or undefined_table then null;
    end;

    -- More deployments in the seven days after the letter than in the seven before.
    begin
        return query
        select 'E-RET-02', 'reactivation_7d', l.held_out, count(*) filter (where d.after > d.before), count(*), count(*), null::numeric
        from public.email_kpi_letters(array['E-RET-02'], since - interval '7 days', until - interval '7 days') l
        cross join lateral (
            select count(*) filter (where d.started_at < l.at) as before, count(*) filter (where d.started_at >= l.at) as after
            from public.deployments d
            -- A letter about a user's projects names none.
            where d.project_id = any(case when l.project_id is null then array(select p.id from public.projects p where p.owner_id = l.user_id) else array[l.project_id] end)
            and d.started_at >= l.at - interval '7 days' and d.started_at <= l.at + interval '7 days'
        ) d
        group by l.held_out;
    exception when undefined_column or undefined_table then null;
    end;
end
$$;
comment on function public.email_type_kpi_returns(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-RET-01 to E-RET-04: active again, and more deployments than before.';
revoke all on function public.email_type_kpi_returns(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_unsubscribes(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select 'E-RET-04', 'unsubscribe_rate', false,
        count(*) filter (where exists (
                select from public.email_events e where e.email_delivery_id = l.id and e.event_type = 'unsubscribed'
            ) or exists (
                select from public.email_preferences f
                where f.user_id = l.user_id and not f.marketing_opt_in and f.updated_at >= l.at and f.updated_at <= l.at + interval '7 days'
            )), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-RET-04'], since, until) l
    where not l.held_out;
end
$$;
comment on function public.email_type_kpi_unsubscribes(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-RET-04: readers who leave by the link instead of by a complaint.';
revoke all on function public.email_type_kpi_unsubscribes(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_payments(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select 'E-BILL-01', 'recovery_rate', false, count(*) filter (where i.paid), count(*), count(*), null::numeric
    from public.email_kpi_invoices(since, until) i
    where exists (
        select from public.email_deliveries d
        where d.status = 'sent' and d.dedupe_key = any(array(
            select unnest(public.email_step_keys('payment_failed:' || i.invoice_id || ':', t.params)) from public.email_types t where t.code = 'E-BILL-01'
        ))
    );
end
$$;
comment on function public.email_type_kpi_payments(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-BILL-01: the invoices that were written about, and paid.';
revoke all on function public.email_type_kpi_payments(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_survey(since timestamptz, until timestamptz)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- Who answered the survey within seven days, and what.
    return query
    select 'E-ADV-01', 'response_rate', false, count(*) filter (where exists (
            select from public.email_signals s
            where s.user_id = l.user_id and s.kind = 'nps_answered' and s.occurred_at >= l.at and s.occurred_at <= l.at + interval '7 days'
        )), count(*), count(*), null::numeric
    from public.email_kpi_letters(array['E-ADV-01'], since - interval '7 days', until - interval '7 days') l
    where not l.held_out;

    return query
    select 'E-ADV-01', 'nps_score', false, count(*) filter (where a.score >= 9) - count(*) filter (where a.score <= 6), count(a.score), count(a.score), null::numeric
    from (
        select case when s.payload ->> 'score' ~ '^(10|[0-9])$' then (s.payload ->> 'score')::integer end as score
        from public.email_signals s
        where s.kind = 'nps_answered' and s.occurred_at > since and s.occurred_at <= until
    ) a;
end
$$;
comment on function public.email_type_kpi_survey(timestamptz, timestamptz) is
'A step of email_type_kpi_counts(). E-ADV-01: readers who answered the survey within seven days, and what they answered.';
revoke all on function public.email_type_kpi_survey(timestamptz, timestamptz) from public;

create or replace function public.email_type_kpi_counts(over interval)
returns table (code text, kpi text, held_out boolean, reached bigint, cases bigint, measured bigint, minutes numeric)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
declare
    until timestamptz := public.email_now();
    since timestamptz := until - over;
begin
    return query
    select * from public.email_type_kpi_projects(since, until)
    union all
    select * from public.email_type_kpi_invitations(since, until)
    union all
    select * from public.email_type_kpi_twofa(since, until)
    union all
    select * from public.email_type_kpi_logins(since, until)
    union all
    select * from public.email_type_kpi_deployments(since, until)
    union all
    select * from public.email_type_kpi_feedback(since, until)
    union all
    select * from public.email_type_kpi_verdicts(since, until)
    union all
    select * from public.email_type_kpi_upgrades(since, until)
    union all
    select * from public.email_type_kpi_returns(since, until)
    union all
    select * from public.email_type_kpi_unsubscribes(since, until)
    union all
    select * from public.email_type_kpi_payments(since, until)
    union all
    select * from public.email_type_kpi_survey(since, until);
end
$$;
comment on function public.email_type_kpi_counts(interval) is
'What email_type_kpis_over() puts together: per code and KPI, for recipients and for the holdout, how many reached the aim, of how many cases, and the median minutes for KPIs that are times.';
revoke all on function public.email_type_kpi_counts(interval) from public;
