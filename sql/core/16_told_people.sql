-- What the application tells about people, kept where letters read it.
--
-- cause       signal user_time_zone {timezone}: the user's zone in email_preferences; a zone that Postgres does not know is noted.
--             signal project_contact {email, role, removed?}: one row of email_project_contacts (removed: none, and without a role
--             none of either); its user_id is that of the account with this address, if any
-- fact        {signal_id}
-- reads       users (id, email), email_signals: of several about the same, the latest counts whenever it is told
--
-- Nothing is kept about a user who was forgotten.

create or replace function public.email_told_people_signal(s public.email_signals) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    told_zone constant text := btrim(s.payload ->> 'timezone');
    told_email constant text := btrim(s.payload ->> 'email');
    told_role constant text := s.payload ->> 'role';
    removed constant boolean := coalesce(lower(s.payload ->> 'removed') in ('true', 't', '1', 'yes'), false);
begin
    if s.kind = 'user_time_zone' then
        -- With digits a name is taken for a rule of its own (XYZ-3), which no letter could name.
        if public.email_zone(coalesce(told_zone, public.email_missing('timezone'))) <> told_zone
            or told_zone ~ '[0-9]' and told_zone !~ '^(Etc/(GMT|UTC)[-+]?[0-9]{1,2}|EST5EDT|CST6CDT|MST7MDT|PST8PDT)$'
        then
            raise exception 'time zone "%" is not known', left(told_zone, 64) using errcode = 'invalid_parameter_value';
        end if;
        insert into public.email_preferences as p (user_id, timezone)
        select coalesce(s.user_id, public.email_missing('user_id')::uuid), told_zone
        where not exists (select from public.email_forgotten f where f.user_id = s.user_id)
        and not exists (
            select from public.email_signals l
            where l.user_id = s.user_id and l.kind = 'user_time_zone' and (l.occurred_at, l.id) > (s.occurred_at, s.id)
        )
        on conflict (user_id) do update set timezone = excluded.timezone, updated_at = public.email_now()
        where p.timezone <> excluded.timezone;
        return;
    end if;
    if coalesce(told_email, public.email_missing('email')) = '' or s.project_id is null then
        perform public.email_missing(case when s.project_id is null then 'project_id' else 'email' end);
    end if;
    if not removed and told_role is null then
        perform public.email_missing('role');
    end if;
    if exists (
        select from public.email_signals l
        where l.project_id = s.project_id and l.kind = 'project_contact' and (l.occurred_at, l.id) > (s.occurred_at, s.id)
        and lower(btrim(l.payload ->> 'email')) = lower(told_email)
        and (l.payload ->> 'role' = told_role or told_role is null or l.payload ->> 'role' is null)
    ) then
        return;
    end if;
    if removed then
        delete from public.email_project_contacts c
        where c.project_id = s.project_id and lower(c.email) = lower(told_email) and c.role = coalesce(told_role, c.role);
        return;
    end if;
    insert into public.email_project_contacts (project_id, email, role, user_id)
    select s.project_id, told_email, told_role, u.id
    from (select) always
    left join public.users u on u.email in (told_email, lower(told_email))
    where not exists (
        select from public.email_project_contacts c
        where c.project_id = s.project_id and lower(c.email) = lower(told_email) and c.role = told_role
    )
    and not exists (select from public.email_forgotten f where f.user_id = u.id)
    limit 1
    on conflict do nothing;
end
$$;
comment on function public.email_told_people_signal(public.email_signals) is 'Keeps what the application tells about a user''s time zone or a project''s contacts.';
revoke all on function public.email_told_people_signal(public.email_signals) from public;

create or replace function public.email_told_people_enqueue(facts jsonb) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform public.email_told_people_signal(s) from public.email_signals s where s.id = (facts -> 0 ->> 'signal_id')::bigint;
end
$$;
comment on function public.email_told_people_enqueue(jsonb) is 'What a recorded signal about people says, for a replay. facts: [{signal_id}].';
revoke all on function public.email_told_people_enqueue(jsonb) from public;

create or replace function public.email_told_people_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform public.email_told_people_signal(new);
    return null;
exception when others then
    begin
        perform public.email_guard('email_told_people', null, jsonb_build_array(jsonb_build_object('signal_id', new.id)), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: signal % about people was not taken up: %', new.id, sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_told_people_trigger() is 'After a signal about people is recorded. Never fails the statement that recorded it.';
revoke all on function public.email_told_people_trigger() from public;

create or replace trigger email_told_people after insert on public.email_signals
for each row when (new.kind in ('user_time_zone', 'project_contact'))
execute function public.email_told_people_trigger();
