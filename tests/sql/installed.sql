-- What `migrate` leaves behind before anybody has done anything.
begin;
select plan(7);

select is(
    (select count(*) from public.email_types), 22::bigint,
    'the catalogue has its 22 emails'
);
select results_eq(
    $$ select code, category, capped, priority, phase, expires_after, params - 'cta_path' from public.email_types order by code $$,
    $$ values
        ('E-ACT-01', 'product', true, 60, 1, interval '3 days', '{"delay": "2 hours"}'::jsonb),
        ('E-ACT-02', 'product', true, 60, 3, '5 days', '{"delay": "24 hours", "new_for": "14 days", "quiet": "14 days"}'),
        ('E-ACT-03', 'product', true, 60, 3, '5 days', '{"delay": "48 hours"}'),
        ('E-ACT-04', 'product', false, 80, 1, '3 days', '{}'),
        ('E-ACT-05', 'transactional', false, 95, 2, '1 day', '{"verdicts": ["warning", "rollback_recommended"], "digest_within": "1 hour"}'),
        ('E-ADV-01', 'marketing', true, 15, 3, '7 days', '{"milestones": {"days": [30, 180], "then_every": 365}, "active_days": 30, "min_deployments": 20, "spread": "28 days", "quiet": "150 days"}'),
        ('E-ADV-02', 'marketing', true, 16, 3, '14 days', '{"delay": "1 day", "min_score": 9}'),
        ('E-BILL-01', 'transactional', false, 92, 2, '3 days', '{"steps": {"J0": "0 days", "J3": "3 days", "J7": "7 days", "J10": "10 days"}}'),
        ('E-BILL-02', 'transactional', false, 85, 2, '7 days', '{}'),
        ('E-CONV-01', 'marketing', true, 50, 1, '5 days', '{"threshold": 40, "quota": 50}'),
        ('E-CONV-02', 'marketing', true, 55, 1, '3 days', '{"threshold": 45, "quota": 50}'),
        ('E-CONV-03', 'transactional', false, 70, 1, '3 days', '{"quota": 50}'),
        ('E-CONV-04', 'marketing', true, 40, 3, '3 days', '{"quiet": "7 days"}'),
        ('E-CONV-05', 'marketing', true, 20, 3, '7 days', '{"local_time": "09:00", "ahead": "3 hours", "blast_limit": null}'),
        ('E-RET-01', 'product', true, 30, 2, '1 day', '{"local_time": "08:00", "ahead": "3 hours", "blast_limit": null}'),
        ('E-RET-02', 'marketing', true, 45, 3, '3 days', '{"min_deployments": 4, "drop_percent": 50}'),
        ('E-RET-03', 'marketing', true, 35, 2, '5 days', '{"inactive": "14 days"}'),
        ('E-RET-04', 'marketing', true, 36, 3, '5 days', '{"steps": {"J30": "30 days", "J37": "37 days"}}'),
        ('E-SEC-01', 'security', false, 100, 1, '3 days', '{}'),
        ('E-SEC-02', 'security', false, 100, 1, '3 days', '{"known_for": "90 days"}'),
        ('E-TRX-01', 'transactional', false, 90, 1, '7 days', '{}'),
        ('E-TRX-02', 'transactional', false, 90, 1, '2 days', '{"steps": {"J0": "0 days", "J2": "2 days", "J5": "5 days"}}') $$,
    'with the categories, priorities, phases, times and thresholds of the catalogue'
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
