-- What `migrate` leaves behind before anybody has done anything.
begin;
select plan(6);

select is(
    (select count(*) from public.email_types), 22::bigint,
    'the catalogue has its 22 emails'
);
select is(
    (select count(*) from public.email_types where not enabled or paused_at is not null), 0::bigint,
    'every email is enabled and none is paused'
);
select is(
    (select count(*) from public.email_settings), 1::bigint,
    'there is exactly one row of settings'
);
select throws_ok(
    $$ insert into public.email_settings select * from public.email_settings $$,
    null, null,
    'and there cannot be a second one'
);
select is_empty(
    $$ select id from public.email_outbox union all select id from public.email_trigger_errors $$,
    'installing enqueues nothing and notes no error'
);
select is(public.email_now(), now(), 'the clock is the real one until a test moves it');

select * from finish();
rollback;
