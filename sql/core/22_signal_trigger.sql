-- The trigger of every code that a signal causes: it calls the code's own email_<code>_signal(signal).
--
-- Such a code's file has that function and the trigger that names the kinds of signal; the trigger is called like the function:
--
--     create or replace trigger email_conv_04_signal after insert on public.email_signals
--     for each row when (new.kind = 'pro_feature_attempted')
--     execute function public.email_signal_trigger('E-CONV-04');
--
-- Its settings are those of every trigger (20_guard.sql); the functions it calls run under them.

create or replace function public.email_signal_trigger() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    execute 'select public.' || quote_ident(tg_name) || '($1)' using new;
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
'After a signal is recorded: calls the function that the trigger is called like (email_<code>_signal) with it; the argument is the code. Never fails the statement that recorded it.';
revoke all on function public.email_signal_trigger() from public;
