-- What the signals that cause or end letters have in common.  Which kinds a code listens to stands in its own file:
--
--     create trigger email_bill_02_signal after insert on email_signals
--     for each row when (new.kind = 'payment_succeeded') execute function email_signal_trigger('E-BILL-02')
--
-- The fact is {signal_id}, and comes alone: the row is there to be read again, so that a note of a miss repeats nothing of its
-- payload.
-- Row by row, because a WHEN costs nothing where a statement trigger per code would be called for every login.

create or replace function public.email_signal_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    execute format('select public.%I($1)', public.email_function(tg_argv[0], 'enqueue'))
    using jsonb_build_array(jsonb_build_object('signal_id', new.id));
    return null;
exception when others then
    begin
        perform public.email_guard('email_signals', tg_argv[0], jsonb_build_array(jsonb_build_object('signal_id', new.id)), sqlstate, sqlerrm);
    exception when others then
        raise warning 'seqpulse-mailer: % missed signal %: %', tg_argv[0], new.id, sqlerrm;
    end;
    return null;
end
$$;
comment on function public.email_signal_trigger() is
'After a signal is recorded: hands it to the code named in the trigger. Never fails the statement that recorded it.';
revoke all on function public.email_signal_trigger() from public;
