-- A trigger of ours never breaks the application (contract, rule 1): what failed is noted and made up for later.
--
-- A fact is a small jsonb object with the ids and columns one code needs.  public.email_<code>_enqueue(fact) turns it into
-- outbox rows; the trigger, the guard and the replay all call that one function.

create or replace function public.email_function(code text, suffix text) returns text
language sql immutable strict
as $$
select 'email_' || lower(replace(substr(code, 3), '-', '_')) || '_' || suffix
$$;
comment on function public.email_function(text, text) is
'The name of a code''s function: E-TRX-01 and enqueue give email_trx_01_enqueue.';
revoke all on function public.email_function(text, text) from public;

create or replace function public.email_note_error(source text, email_type text, error text, fact jsonb) returns void
language plpgsql
as $$
begin
    insert into public.email_trigger_errors (source, email_type, error, row_data) values ($1, $2, $3, $4);
exception when others then
    raise warning 'seqpulse-mailer: % could not be enqueued (%), nor could that be noted (%)', $2, $3, sqlerrm;
end
$$;
comment on function public.email_note_error(text, text, text, jsonb) is
'Notes in email_trigger_errors what could not be enqueued; raises a warning when even that fails, and never an error.';
revoke all on function public.email_note_error(text, text, text, jsonb) from public;

-- One subtransaction per fact.  Cancellation and statement_timeout are not caught by "others": they end the application's
-- statement as it expects.
create or replace function public.email_guard(source text, code text, facts jsonb) returns void
language plpgsql
as $$
declare
    fact jsonb;
begin
    for fact in select f from jsonb_array_elements(coalesce(facts, '[]')) f loop
        begin
            execute format('select public.%I($1)', public.email_function(code, 'enqueue')) using fact;
        exception when others then
            perform public.email_note_error(source, code, sqlstate || ': ' || sqlerrm, fact);
        end;
    end loop;
end
$$;
comment on function public.email_guard(text, text, jsonb) is
'After a trigger''s set of facts failed as a whole: tries each fact alone and notes those that still fail.';
revoke all on function public.email_guard(text, text, jsonb) from public;

-- SECURITY DEFINER: it calls every code's enqueue function, which nobody else needs to execute.
create or replace function public.email_replay_errors(since timestamptz default '-infinity') returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    missed record;
    replayed integer := 0;
begin
    for missed in
        select e.id, e.email_type, e.row_data
        from public.email_trigger_errors e
        where e.replayed_at is null and e.occurred_at >= since and e.email_type is not null and e.row_data is not null
        order by e.id
        for update skip locked
    loop
        begin
            execute format('select public.%I($1)', public.email_function(missed.email_type, 'enqueue')) using missed.row_data;
            update public.email_trigger_errors set replayed_at = public.email_now() where id = missed.id;
            replayed := replayed + 1;
        exception when others then
            update public.email_trigger_errors set error = sqlstate || ': ' || sqlerrm where id = missed.id;
        end;
    end loop;
    return replayed;
end
$$;
comment on function public.email_replay_errors(timestamptz) is
'Enqueues what triggers missed since then; answers how many facts went through. Those that fail again stay open with their newest error.';
revoke all on function public.email_replay_errors(timestamptz) from public;
