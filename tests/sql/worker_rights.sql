-- What `run` may do suffices for every letter that an event causes: its role claims one of each.
begin;
\ir support/fixtures.sql
select plan(3);

select fixture.account('nassir') as nassir \gset
select fixture.project(:'nassir') as project \gset
select fixture.deployment(:'project', 1, 'running');
select fixture.account('lonely') as lonely \gset
select fixture.project(:'lonely', 'Empty') \g /dev/null
update public.users set twofa_enabled = true where id = :'nassir';
select fixture.signal(k.kind, :'nassir', :'project', '{"invitation_id": "i", "invitee_email": "i@example.com", "feature": "f", "invoice_id": "n", "score": 9}')
from (values ('invitation_created'), ('suspicious_login'), ('quota_refused'), ('pro_feature_attempted'), ('payment_succeeded'), ('payment_failed'), ('nps_answered')) k (kind);
select fixture.verdict(fixture.deployment(:'project', 2, 'pending'), 'warning');
update public.email_outbox set run_at = now(), due_at = now();
-- A sequence's steps would supersede each other, and one letter of a recipient hold back another.
delete from public.email_outbox where payload ->> 'step' <> 'J0';
update public.email_settings set marketing_cooldown = '0', lookahead = '0';

set local role email_worker;
select count(*) > 0 as claimed from public.email_claim('worker', 'console', 100, interval '1 minute') \g /dev/null
reset role;
select is_empty(
    $$ select o.email_type, o.status, o.last_error from public.email_outbox o where o.last_error is not null or o.reason like '%42501%' $$,
    'nothing was refused to it'
);
select is(
    (select array_agg(distinct o.email_type order by o.email_type) from public.email_outbox o where o.status in ('sending', 'suppressed')),
    '{E-ACT-01,E-ACT-02,E-ACT-03,E-ACT-04,E-ACT-05,E-ADV-02,E-BILL-01,E-BILL-02,E-CONV-03,E-CONV-04,E-SEC-01,E-SEC-02,E-TRX-01,E-TRX-02}'::text[],
    'and every letter was decided on'
);
select is(
    (
        select array_agg(p.proname || ': ' || r.rolname)
        from pg_proc p
        cross join (values ('email_worker'), ('email_app'), ('email_reader')) r (rolname)
        where (p.proname like 'email\_%\_enqueue' or p.proname in ('email_suppress', 'email_guard'))
        and has_function_privilege(r.rolname, p.oid, 'execute')
    ), null, 'what only triggers call is nobody''s'
);

select * from finish();
rollback;
