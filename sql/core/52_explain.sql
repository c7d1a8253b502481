-- "Why has this one not gone out?": one sentence per gate with the value it saw, and what is going to happen when.

-- Asking for a slot is taking it: this asks, and takes it back.
create or replace function public.email_slots_ask(row_id bigint, slot_key text, slot_category text, out run_at timestamptz, out reason text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    answer record;
begin
    begin
        select t.run_ats[1] as run_at, t.reasons[1] as reason into answer from public.email_slots_take(array[row_id], array[slot_key], array[slot_category]) t;
        raise exception using errcode = 'ZZ001', message = 'undone';
    exception when sqlstate 'ZZ001' then
        run_at := answer.run_at;
        reason := answer.reason;
    end;
end
$$;
comment on function public.email_slots_ask(bigint, text, text) is
'Whether a capped row would get its recipient''s slot now: run_at and reason are null when it would, and otherwise say until when it would wait and why. Takes nothing.';
revoke all on function public.email_slots_ask(bigint, text, text) from public;

-- The gates of one row of the outbox, in their order, and the slot; the last sentence is the verdict.
-- One sentence per gate in the order the gates are asked: long, because it is read as that list.
create or replace function public.email_explain_gates(row_id bigint) returns table (sentence text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    o record;
    g record;
    t record;
    s record;
    later record;
    wait record;
    gone record;
    next_at timestamptz;
begin
    select x.* into o from public.email_outbox x where x.id = row_id;
    select x.* into t from public.email_types x where x.code = o.email_type;
    select x.* into g from public.email_gates(array[row_id]) x;
    select x.*, x.armed_for is not distinct from public.email_identity() as armed into s from public.email_settings x;

    sentence := case
        when not s.armed then 'Nothing is sent from this database: it is not the one that was armed (a restored or renamed copy?); if it is the one to send from, select email_arm().'
        when s.paused_at is not null then format('Everything is paused since %s (%s); select email_resume() starts again.', public.email_instant(s.paused_at), coalesce(s.paused_reason, 'no reason given'))
        else 'Sending is on: the database is armed and nothing is paused as a whole.' end;
    return next;
    sentence := case
        when t.paused_at is not null then format('%s is paused since %s (%s): its rows wait until email_resume(%L).', t.code, public.email_instant(t.paused_at), coalesce(t.paused_reason, 'no reason given'), t.code)
        else format('%s is not paused.', t.code) end;
    return next;

    select x.id, public.email_step(x.dedupe_key) as step, x.status, x.due_at into later
    from public.email_outbox x
    where t.params ? 'steps' and x.dedupe_key = any(public.email_step_keys(o.dedupe_key, t.params)) and x.email_type = o.email_type and (x.due_at, x.id) > (o.due_at, o.id)
    order by (x.status in ('sending', 'sent') or least(x.due_at, x.run_at) <= public.email_now()) desc, x.due_at, x.id
    limit 1;
    sentence := case
        when not t.params ? 'steps' then 'It is not a step of a sequence.'
        when g.superseded then format('It is superseded: a later step of its sequence (%s, outbox %s, %s) is due.', later.step, later.id, later.status)
        when later.id is not null then format('No later step of its sequence is due: the next (%s, outbox %s) is at %s.', later.step, later.id, public.email_instant(later.due_at))
        else 'It is the last step of its sequence that was enqueued.' end;
    return next;
    sentence := case
        when g.expires_at <= public.email_now() then format('It expired at %s: %s after it was due.', public.email_instant(g.expires_at), t.expires_after)
        else format('It does not expire before %s.', public.email_instant(g.expires_at)) end;
    return next;
    sentence := format(case when t.enabled then '%s is enabled.' else '%s is disabled.' end, t.code);
    return next;
    select x.forgotten_at into gone from public.email_forgotten x where x.user_id in (o.user_id, g.person) limit 1;
    sentence := case
        when g.forgotten then format('The user was forgotten at %s.', public.email_instant(gone.forgotten_at))
        else 'The user was not forgotten.' end;
    return next;
    sentence := format(case when g.known then 'User %s exists.' else 'There is no user %s.' end, o.user_id);
    return next;
    sentence := case
        when g.suppressed is null then format('%s is not suppressed.', coalesce(public.email_mask(g.recipient), 'The address'))
        when g.suppressed in ('bounced', 'manual') and t.category = 'security'
            or g.suppressed in ('complained', 'unsubscribed') and t.category not in ('product', 'marketing')
            then format('%s is suppressed (%s), which does not stop %s mail.', public.email_mask(g.recipient), g.suppressed, t.category)
        else format('%s is suppressed: %s.', public.email_mask(g.recipient), g.suppressed) end;
    return next;
    sentence := case
        when t.category not in ('product', 'marketing') then format('%s mail does not ask preferences.', initcap(t.category))
        when g.person is null then 'The recipient has no account and so no preferences.'
        when not g.active then 'The recipient''s account is not active: they get security and transactional mail only.'
        when t.category = 'marketing' and not g.marketing_opt_in then 'The recipient has opted out of marketing.'
        when t.category = 'product' and not g.product_updates_opt_in then 'The recipient has opted out of product updates.'
        else format('The recipient''s account is active and has not opted out of %s.', case t.category when 'marketing' then 'marketing' else 'product updates' end) end;
    return next;
    sentence := case
        when t.holdout_percent = 0 then format('Nobody is held out of %s.', t.code)
        else format('The recipient is %s the %s %% held out of %s.', case when g.held_out then 'among' else 'not among' end, t.holdout_percent, t.code) end;
    return next;
    sentence := case
        when g.gate = 'broken' then format('Whether it is still true cannot be told: %s. It is asked again every 5 minutes.', public.email_mask(g.failure))
        when g.failure is not null then format('Whether it is still true cannot be told: %s.', public.email_mask(g.failure))
        when g.untrue is not null then format('It is not true any more: %s.', g.untrue)
        when g.gate = 'failure' then format('Whether it is still true cannot be told: %s.', g.reason)
        else 'It is still true.' end;
    return next;

    select x.run_at, x.reason into wait from public.email_slots_ask(row_id, g.slot, t.category) x where t.capped;
    sentence := case
        when not t.capped then format('%s is not capped: it needs no slot.', t.code)
        when wait.reason is not null then format('It does not get the recipient''s %s slot before %s: %s.', t.category, public.email_instant(wait.run_at), substr(wait.reason, 6))
        when exists (select from public.email_marketing_slots x where x.recipient = g.slot and x.category = t.category and x.outbox_id = row_id) then format('It holds the recipient''s %s slot already.', t.category)
        else format('The recipient''s %s slot is free.', t.category) end;
    return next;

    -- What comes of it.
    if o.status <> 'queued' then
        sentence := case g.verdict
            when 'send' then case when wait.reason is not null then 'Were it tried now, it would wait.' else 'Were it tried now, it would be sent.' end
            when 'wait' then 'Were it tried now, it would wait.'
            when 'retry' then 'Were it tried now, it would wait and be asked again every 5 minutes.'
            else format('Were it tried now, it would be %s: %s.', case g.verdict when 'fail' then 'failed' else 'suppressed' end, public.email_mask(g.reason)) end;
        return next;
        return;
    end if;
    next_at := greatest(
        case when o.run_at < 'infinity' then o.run_at else public.email_now() end,
        -- By the real clock, told by the other one.
        o.retry_at + (public.email_now() - now()),
        public.email_now()
    );
    if g.verdict = 'send' and wait.run_at > next_at then
        next_at := wait.run_at;
    end if;
    sentence := case
        when g.verdict = 'wait' then 'So it waits until its type is resumed.'
        when not s.armed or s.paused_at is not null then 'So it waits until sending is on again.'
        when g.verdict = 'retry' then format('So it waits; it is asked again at %s.', public.email_instant(next_at))
        when o.retry_at is not null and next_at > public.email_now() then format('So it is tried again at %s: %s (attempt %s of %s).', public.email_instant(next_at),
            coalesce(public.email_mask(o.last_error), 'the last request failed'), o.attempts + 1, t.max_attempts)
        when next_at > public.email_now() and g.verdict = 'send' and g.expires_at <= next_at then format('So it waits until %s, and will be suppressed as expired then.', public.email_instant(next_at))
        when next_at > public.email_now() and g.verdict = 'send' then format('So it waits until %s%s.', public.email_instant(next_at),
            case when wait.reason is null and o.run_at = o.due_at then ', the moment it is due' else '' end)
        when next_at > public.email_now() then format('So it would be %s now (%s); it is asked again when it is due, at %s.',
            case g.verdict when 'fail' then 'failed' else 'suppressed' end, public.email_mask(g.reason), public.email_instant(next_at))
        when g.verdict = 'send' then format('So it goes out with the next claim, to %s.', public.email_mask(g.recipient))
        else format('So it will be %s with the next claim: %s.', case g.verdict when 'fail' then 'failed' else 'suppressed' end, public.email_mask(g.reason)) end;
    return next;
end
$$;
comment on function public.email_explain_gates(bigint) is
'One sentence per gate about a row of the outbox, as it would be decided now, and one that says what happens next, and when.';
revoke all on function public.email_explain_gates(bigint) from public;

-- SECURITY DEFINER: what it asks of the application's tables, its caller need not be allowed to read.
create or replace function public.email_explain(id bigint) returns table (sentence text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    o record;
    d record;
    b record;
begin
    select x.*, t.name into o from public.email_outbox x join public.email_types t on t.code = x.email_type where x.id = $1;
    if not found then
        -- The outbox forgets, the journal does not.
        select x.*, t.name into d from public.email_deliveries x left join public.email_types t on t.code = x.email_type where x.outbox_id = $1 limit 1;
        if not found then
            sentence := format('There is no row %s, neither in the outbox nor in the journal.', $1);
            return next;
            return;
        end if;
        sentence := format('Row %s, %s%s for user %s, has left the outbox; the journal knows it as %s.', $1, d.email_type, coalesce(' (' || d.name || ')', ''), d.user_id, public.email_mask(d.dedupe_key));
        return next;
        sentence := case d.status
            when 'sent' then format('It was sent at %s%s.', public.email_instant(d.sent_at), coalesce(' through ' || d.provider, ''))
            when 'suppressed' then format('It was suppressed: %s.', coalesce(public.email_mask(d.payload_json ->> 'reason'), 'the reason was erased'))
            when 'failed' then format('It failed: %s.', coalesce(public.email_mask(d.error_message), d.payload_json ->> 'reason', 'the error was erased'))
            else format('It was claimed at %s, and nobody knows what became of it.', public.email_instant(d.created_at)) end;
        return next;
        sentence := 'It will not be tried again; its key is never used twice.';
        return next;
        return;
    end if;
    select x.* into d from public.email_deliveries x where x.dedupe_key = o.dedupe_key;

    sentence := format('Row %s is %s (%s) for user %s%s: %s, enqueued at %s, due at %s, priority %s.', o.id, o.email_type, o.name, o.user_id,
        coalesce(', to ' || public.email_mask(o.to_email), ''), public.email_mask(o.dedupe_key), public.email_instant(o.created_at), public.email_instant(o.due_at), o.rank);
    return next;

    if o.status = 'sent' then
        sentence := format('It was sent at %s%s%s.', public.email_instant(coalesce(d.sent_at, o.finished_at)), coalesce(' through ' || d.provider, ''), coalesce(' as ' || d.provider_message_id, ''));
        return next;
        if d.status <> 'sent' then
            sentence := format('The provider said later that it %s: %s.', case d.status when 'failed' then 'failed' else 'was suppressed' end,
                coalesce(public.email_mask(d.error_message), d.payload_json ->> 'reason', 'no reason is known'));
            return next;
        end if;
    elsif o.status = 'suppressed' then
        sentence := format('It was suppressed at %s: %s.', public.email_instant(o.finished_at), public.email_mask(o.reason));
        return next;
        return query select public.email_explain_gates($1);
    elsif o.status = 'failed' then
        sentence := format('It failed at %s after %s attempts: %s.', public.email_instant(o.finished_at), o.attempts,
            concat_ws(', ', o.reason, public.email_mask(o.last_error)));
        return next;
        if o.reason = 'unknown outcome' then
            sentence := 'Nobody knows whether the provider accepted it, so it is not tried again; if you do know, select email_retry(id, even_if_unknown => true).';
            return next;
        end if;
        return query select public.email_explain_gates($1);
    elsif o.status = 'sending' then
        select x.state, x.recovery, x.first_sent_at, x.attempt, x.resolve_until into b from public.email_batches x where x.batch_id = o.batch_id;
        sentence := format('It passed every gate and was claimed at %s by %s, whose lease holds until %s (real clock).', public.email_instant(o.claimed_at), o.locked_by, public.email_instant(o.locked_until));
        return next;
        sentence := case
            when b.state is null then 'Its request has not left yet.'
            when b.state = 'unknown' then format('Its request left at %s and nobody knows whether it was accepted; that is being found out (by %s) until %s, and asked again at %s.',
                public.email_instant(b.first_sent_at), case b.recovery when 'search' then 'searching the provider''s messages' else 'repeating it under its key' end,
                public.email_instant(b.resolve_until), public.email_instant(o.locked_until))
            else format('Its request left at %s; the answer is awaited.', public.email_instant(b.first_sent_at)) end;
        return next;
        if o.end_as is not null then
            sentence := format('Should the provider not have accepted it, it will be suppressed: %s.', o.end_as);
            return next;
        end if;
        if d.slot is not null then
            sentence := format('It holds the recipient''s %s slot of the cap until its outcome is known.', d.slot_category);
            return next;
        end if;
    else
        if o.reason is not null then
            sentence := format('It waits: %s.', public.email_mask(o.reason));
            return next;
        end if;
        return query select public.email_explain_gates($1);
    end if;
end
$$;
comment on function public.email_explain(bigint) is
'Why a letter has or has not gone out: one sentence per gate with the value it saw now, what happened so far, and when it will be tried again. Also for rows that have left the outbox.';
revoke all on function public.email_explain(bigint) from public;

create or replace function public.email_explain(user_id uuid, code text) returns table (sentence text)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    kind record;
    latest record;
    found_row record;
    queued bigint;
    about text[];
    scanned boolean := to_regprocedure('public.' || public.email_function($2, 'audience') || '()') is not null;
begin
    select t.* into kind from public.email_types t where t.code = $2;
    if not found then
        raise exception 'unknown email type "%"', $2 using hint = 'The known codes are: select code, name from public.email_types order by code;';
    end if;
    select d.status, coalesce(d.sent_at, d.created_at) as moment, d.payload_json ->> 'reason' as reason, d.dedupe_key into latest
    from public.email_deliveries d
    where d.user_id = $1 and d.email_type = $2
    order by d.created_at desc
    limit 1;
    sentence := case
        when latest.status is null then format('%s was never sent to user %s.', $2, $1)
        else format('The last %s of user %s, %s, %s at %s%s.', $2, $1, public.email_mask(latest.dedupe_key),
            case latest.status when 'sent' then 'was sent' when 'suppressed' then 'was suppressed' when 'failed' then 'failed' else 'was claimed' end,
            public.email_instant(latest.moment), coalesce(': ' || public.email_mask(latest.reason), '')) end;
    return next;

    -- What waits for them is the answer.
    for queued in
        select o.id from public.email_outbox o where o.user_id = $1 and o.email_type = $2 and o.status in ('queued', 'sending') order by o.due_at, o.id
    loop
        return query select public.email_explain(queued);
    end loop;
    if queued is not null then
        return;
    end if;

    -- Otherwise a row that is made up for the moment: what would the gates say?
    begin
        select a.project_id, a.dedupe_key, a.run_at, a.payload into found_row
        from public.email_audience($2) a
        where scanned and a.user_id = $1
        order by a.run_at
        limit 1;
        about := array[case
            when not kind.enabled then format('%s is disabled: nothing is enqueued.', $2)
            when not scanned then format('None waits for them: a fact causes %s, and none has done so that did not end yet.', $2)
            when found_row.dedupe_key is null then 'None waits for them, and a scan now would not find them.'
            else format('None waits for them; a scan now would enqueue %s for %s.', found_row.dedupe_key, public.email_instant(found_row.run_at)) end];
        -- As an ended row, which a disabled type admits too.
        insert into public.email_outbox (id, status, reason, finished_at, email_type, user_id, project_id, dedupe_key, payload, run_at)
        select -1, 'suppressed', 'made up', public.email_now(), $2, $1, coalesce(found_row.project_id, (select p.id from public.projects p where p.owner_id = $1 order by p.created_at desc limit 1)),
            coalesce(found_row.dedupe_key, 'explain:' || $1), coalesce(found_row.payload, '{}'), public.email_now();
        about := about || array(select public.email_explain_gates(-1));
        raise exception using errcode = 'ZZ001', message = 'undone';
    exception when sqlstate 'ZZ001' then
        null;
    end;
    return query select a from unnest(about) with ordinality as x (a, place) order by x.place;
end
$$;
comment on function public.email_explain(uuid, text) is
'Would this user get this email now, and if not, why not: the last one, the one that waits, or else what the gates would say about one enqueued now (about their newest project, where it is about one). Changes nothing.';
revoke all on function public.email_explain(uuid, text) from public;

select public.email_grant('execute on function public.email_explain(bigint), public.email_explain(uuid, text)', 'email_admin');
