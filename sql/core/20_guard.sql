-- What keeps a trigger of ours from breaking the application (docs/rules.md#never-break-the-application): what failed is noted and made up for later.
--
-- A fact is a small jsonb object with the ids and columns one code needs.  public.email_<code>_enqueue(facts) turns an array of facts
-- into outbox rows.  A trigger has one of three shapes; in each, the exception handler calls email_guard with the facts that can
-- still be read, and has a handler of its own around that, which raises a warning:
--
--     by facts     what changed becomes facts, and where there are any email_<code>_enqueue(facts) is called: scarce causes (E-SEC-01,
--                  changes of plan, the updates that E-TRX-01, E-ACT-03 and E-ACT-05 look at)
--     by rows      one statement inserts what email_<code>_rows(…) answers for the rows of the transition table, and facts are only
--                  made in the handler; email_<code>_enqueue(facts) shares that function: the inserts of E-TRX-01, E-ACT-01 to 05
--     by signals   email_signal_trigger() calls email_<code>_signal(signal), which email_<code>_enqueue(facts) shares
--                  (22_signal_trigger.sql)
--
-- Each fills rank (the type's priority) and due_at itself and leaves out keys that email_journaled() answers, so that no row is
-- looked at again by the admission (10_enqueue.sql).  A key that is made of the id of a row just inserted (E-TRX-01, E-ACT-01, E-ACT-02)
-- is in no journal: their inserts do not ask; their enqueue functions, which replay, do.
--
-- Three things keep a trigger from failing: no type in its DECLARE section comes from a table, no expression stands there (the
-- handler does not cover that section), and after a failure rows are read through to_jsonb(), which knows no missing column.
--
-- Its settings: lock_timeout is the 100 ms of docs/rules.md#never-break-the-application; the others are explained in sql/README.md.

create or replace function public.email_function(code text, suffix text) returns text
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
select 'email_' || lower(replace(substr(code, 3), '-', '_')) || '_' || suffix
$$;
comment on function public.email_function(text, text) is
'The name of a code''s function: E-TRX-01 and enqueue give email_trx_01_enqueue.';
revoke all on function public.email_function(text, text) from public;

-- Volatile, so that the planner does not call it.
create or replace function public.email_missing(field text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'field "%" is missing', field using errcode = 'null_value_not_allowed';
end
$$;
comment on function public.email_missing(text) is
'An error that names a field, for coalesce(value, email_missing(''field'')): what a fact must have to become an outbox row at all.';
revoke all on function public.email_missing(text) from public;

create or replace function public.email_note_errors(source text, email_type text, errors text[], facts jsonb[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.email_trigger_errors (source, email_type, error, row_data)
    select $1, $2, m.error, m.fact from unnest(errors, facts) as m (error, fact)
    on conflict do nothing;
exception when others then
    raise warning 'seqpulse-mailer: % could not be enqueued (%), nor could that be noted (%)', coalesce($2, $1), errors[1], sqlerrm;
end
$$;
comment on function public.email_note_errors(text, text, text[], jsonb[]) is
'Notes in email_trigger_errors what could not be enqueued, each fact once while it is open; raises a warning when even that fails, and never an error.';
revoke all on function public.email_note_errors(text, text, text[], jsonb[]) from public;

create or replace function public.email_note_error(source text, email_type text, error text, fact jsonb) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
select public.email_note_errors(source, email_type, array[error], array[fact])
$$;
comment on function public.email_note_error(text, text, text, jsonb) is
'Notes one thing that could not be enqueued; see email_note_errors.';
revoke all on function public.email_note_error(text, text, text, jsonb) from public;

-- One subtransaction per fact, but only where that can help: a missing object fails for every fact, and a lock that was not
-- to be had is not waited for again.  Cancellation and statement_timeout are not caught by "others": they end the
-- application's statement as it expects.
create or replace function public.email_guard(source text, code text, facts jsonb, state text, message text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    call text := format('select public.%I($1)', case when code is null then source || '_enqueue' else public.email_function(code, 'enqueue') end);
    failed_state text := state;
    failure text := state || ': ' || message;
    fact jsonb;
    errors text[] := array[]::text[];
    missed jsonb[] := array[]::jsonb[];
begin
    if jsonb_array_length(facts) = 1 then
        perform public.email_note_errors(source, code, array[failure], array[facts -> 0]);
        return;
    end if;
    for fact in select f from jsonb_array_elements(facts) f loop
        if failed_state not like '42%' and failed_state <> '55P03' then
            begin
                execute call using jsonb_build_array(fact);
                continue;
            exception when others then
                failed_state := sqlstate;
                failure := sqlstate || ': ' || sqlerrm;
            end;
        end if;
        errors := array_append(errors, failure);
        missed := array_append(missed, fact);
    end loop;
    perform public.email_note_errors(source, code, errors, missed);
end
$$;
comment on function public.email_guard(text, text, jsonb, text, text) is
'After a trigger''s facts failed as a whole with this SQLSTATE and message: tries each alone and notes those that still fail. code null: the facts go to SOURCE_enqueue.';
revoke all on function public.email_guard(text, text, jsonb, text, text) from public;

-- SECURITY DEFINER like the triggers whose work it repeats: a role that may call it needs no right on the application's tables.
create or replace function public.email_replay_errors(since timestamptz default '-infinity') returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    missed record;
    replayed integer := 0;
begin
    for missed in
        select e.id, e.row_data, coalesce(public.email_function(e.email_type, 'enqueue'), e.source || '_enqueue') as enqueue
        from public.email_trigger_errors e
        where e.replayed_at is null and e.occurred_at >= since and e.row_data is not null
        and (e.email_type is not null or e.source like 'email$_%' escape '$')
        order by e.id
        for update skip locked
    loop
        begin
            execute format('select public.%I($1)', missed.enqueue) using jsonb_build_array(missed.row_data);
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

select public.email_grant('execute on function public.email_function(text, text), public.email_missing(text)', 'email_worker');
select public.email_grant('execute on function public.email_function(text, text), public.email_replay_errors(timestamptz), public.email_note_error(text, text, text, jsonb)', 'email_admin');
