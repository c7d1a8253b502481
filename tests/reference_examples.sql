-- An example per function that people call, for docs/reference.md; tests/it/reference.rs runs each of them.  Row 42 waits in the
-- queue and row 43 has failed; a line "-- NAME" begins the example of public.NAME.

-- email_enqueue
select public.email_enqueue('E-TRX-01', '00000000-0000-4000-8000-000000000001', 'welcome_again:nassir');

-- email_signal
select public.email_signal('payment_failed', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002',
    '{"invoice_id": "in_1042", "amount": 4900, "currency": "EUR"}', now(), 'stripe:evt_1042');

-- email_retry
select public.email_retry(43);

-- email_retry_failed
select public.email_retry_failed('E-TRX-01', now() - interval '1 day');

-- email_cancel
select public.email_cancel(42, 'cancelled: ticket 4711');

-- email_pause
select public.email_pause('E-RET-01', 'the wording is being looked at');   -- one type
select public.email_pause(null, 'the provider is being changed');          -- everything

-- email_resume
select public.email_resume('E-RET-01');
select public.email_resume(null);

-- email_enable_phase
select public.email_enable_phase(1);

-- email_explain
select * from public.email_explain(42);

-- email_audience
select * from public.email_audience('E-RET-03') limit 20;

-- email_unsubscribe
select public.email_unsubscribe(p.unsubscribe_token, 'marketing') from public.email_preferences p
where p.user_id = '00000000-0000-4000-8000-000000000001';

-- email_forget_user
select public.email_forget_user('00000000-0000-4000-8000-000000000001');

-- email_scan
select public.email_scan('E-RET-03');

-- email_arm
select public.email_arm();

-- email_replay_errors
select public.email_replay_errors(now() - interval '1 day');

-- email_now
select public.email_now();

-- email_doctor
select * from public.email_doctor() where status <> 'ok';

-- email_run_schedule
select public.email_run_schedule('clean up outbox');

-- email_schedule_sync
select public.email_schedule_sync();

-- email_cleanup
select public.email_cleanup();

-- email_cleanup_events
select public.email_cleanup_events();

-- email_erase_contexts
select public.email_erase_contexts();
