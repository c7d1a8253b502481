-- The rate budget and the probing of a pause, by the real clock.
begin;
\ir support/fixtures.sql
select plan(21);

-- Turns ---------------------------------------------------------------------------------------------------------------------
select results_eq($$ select granted, wait_seconds from public.email_take_turn('resend', 0, false) $$, $$ values (true, 0::double precision) $$, 'unlimited needs no turn');
select is((select count(*) from public.email_rates), 0::bigint, 'an unlimited rate leaves no row in email_rates');
select ok((select granted and wait_seconds < 0.01 from public.email_take_turn('resend', 10, false)), 'the first request leaves at once');
select ok((select granted and wait_seconds between 0.05 and 0.105 from public.email_take_turn('resend', 10, false)), 'the second request leaves a turn later');
select ok((select granted from public.email_take_turn('resend', 10, false)), 'bulk may reserve two turns ahead');
select ok((select not granted and wait_seconds > 0 from public.email_take_turn('resend', 10, false)), 'bulk may reserve no third turn ahead');
select ok((select granted from public.email_take_turn('resend', 10, true)), 'an urgent letter may reserve a third turn');

select is((select detail from public.email_doctor() where check_name = 'rate'), 'resend: at most 10 requests a second', 'where nothing was refused, doctor speaks of no refusal');

-- Too many ------------------------------------------------------------------------------------------------------------------
select public.email_slow_down('resend', 3);
select ok((select per_second < 7.2 and limited = 1 and next_at > clock_timestamp() + interval '2.5 seconds' from public.email_rates), 'a 429 stops everybody for as long as it says and cuts the pace');
select public.email_slow_down('resend', 0);
select ok((select per_second > 6.5 and limited = 2 from public.email_rates), 'several in one second cut it once');
select matches((select detail from public.email_doctor() where check_name = 'rate'), '^resend: at most 10 requests a second, last refused as too many at 20\d\d-\d\d-\d\d \d\d:\d\d UTC$', 'doctor says when the provider refused');
update public.email_rates set next_at = clock_timestamp(), adjusted_at = clock_timestamp() - interval '30 seconds', per_second = 2;
select ok((select granted from public.email_take_turn('resend', 10, false)), 'after the wait of a 429 turns are granted again');
select ok((select per_second between 6.9 and 7.2 from public.email_rates), 'half a minute gives back half of the ceiling');
select public.email_note_limit('resend', 2);
update public.email_rates set next_at = clock_timestamp(), per_second = 10;
select public.email_take_turn('resend', 10, false);
select ok((select granted and wait_seconds between 0.4 and 0.53 from public.email_take_turn('resend', 10, false)), 'what the provider''s header allows wins');

-- Pausing -------------------------------------------------------------------------------------------------------------------
select public.email_provider_refused('bad key', 'a');
select is(public.email_claim_size(100), 0, 'while the provider has paused sending nothing is claimed');
update public.email_settings set probe_at = clock_timestamp();
select is(public.email_claim_size(100), 1, 'one message when a probe is due');
select ok(public.email_take_probe('b') and not public.email_take_probe('c'), 'one sidecar gets the probe that is due');
select public.email_provider_refused('bad key', 'a');
select is((select probes from public.email_settings), 0, 'a request that was under way says nothing new');
do $$ begin for n in 1..9 loop perform public.email_provider_refused('bad key', 'b'); end loop; end $$;
select ok((select probes = 9 and probe_at - clock_timestamp() between interval '59 minutes' and interval '60 minutes' from public.email_settings), 'probes become rarer with each refusal, at most an hour apart');
select public.email_provider_relented('a');
select ok((select paused_at is not null from public.email_settings), 'another sidecar''s answer does not end the pause');
select public.email_provider_relented('b');
select ok((select paused_at is null and probe_at is null and paused_by is null from public.email_settings), 'the answer to the probe ends the pause');

select * from finish();
rollback;
