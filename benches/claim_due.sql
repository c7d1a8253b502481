-- For benches/claim.sh: :due letters that are due now, one per user from user :first on.
\set ON_ERROR_STOP on
set session_replication_role = replica;
insert into public.email_outbox (email_type, user_id, dedupe_key, run_at, due_at, rank, payload)
select k.code, u.id, replace(k.key, '{user}', u.id::text), now() - interval '1 minute', now() - interval '1 minute', k.priority,
    '{"feature": "sdh", "amount": 1200, "currency": "EUR", "ip": "203.0.113.1", "country": "FR", "device": "x"}'
from generate_series(1, :due) n
cross join lateral (select md5('user' || n + :first)::uuid as id) u
join (
    select row_number() over (order by v.code) - 1 as nr, count(*) over () as kinds, v.code, v.key, t.priority
    from (values ('E-ADV-02', 'review_request:{user}', true), ('E-ACT-01', 'no_project_after_signup:{user}', true), ('E-CONV-04', 'pro_feature:{user}:sdh:2026-01', true),
        ('E-BILL-02', 'payment_succeeded:in_{user}', false), ('E-TRX-01', 'welcome_signup:{user}', false), ('E-SEC-02', 'suspicious_login:{user}', false)) v (code, key, capped)
    join public.email_types t on t.code = v.code
    where :'mix' = 'mixed' or v.capped = (:'mix' = 'capped')
) k on k.nr = n % k.kinds;
analyze public.email_outbox;
