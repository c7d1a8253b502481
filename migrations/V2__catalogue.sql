-- Purpose: the catalogue (one row per E-* code) and the one row of settings.
-- Locks: none on existing tables.  Safe while an older binary runs: yes, nothing reads them yet.
set local lock_timeout = '2s';
set local statement_timeout = '60s';

create table public.email_types (
    code            text        not null,
    name            text        not null,
    category        text        not null,
    capped          boolean     not null,
    priority        integer     not null,
    enabled         boolean     not null default true,
    paused_at       timestamptz,
    paused_reason   text,
    phase           integer     not null,
    expires_after   interval    not null,
    max_attempts    integer     not null default 10,
    holdout_percent integer     not null default 0,
    active_since    timestamptz not null default public.email_now(),
    params          jsonb       not null default '{}',
    constraint email_types_pkey primary key (code),
    constraint email_types_code_form check (code ~ '^E-[A-Z]{2,8}-[0-9]{2}$'),
    constraint email_types_category_known check (category in ('security', 'transactional', 'product', 'marketing')),
    constraint email_types_capped_category check (not capped or category in ('product', 'marketing')),
    constraint email_types_priority_range check (priority between 0 and 1000),
    constraint email_types_phase_positive check (phase > 0),
    constraint email_types_expires_after_positive check (expires_after > interval '0'),
    constraint email_types_max_attempts_positive check (max_attempts > 0),
    constraint email_types_holdout_percent_range check (holdout_percent between 0 and 100),
    constraint email_types_params_object check (jsonb_typeof(params) = 'object'),
    constraint email_types_paused_reason_only_paused check (paused_reason is null or paused_at is not null)
);
comment on table public.email_types is 'The catalogue: one row per kind of email, edited by DBAs. How a kind is caused and when it is true stands in sql/triggers/, one file per code.';
comment on column public.email_types.code is 'The code of the specification, such as E-TRX-01.';
comment on column public.email_types.name is 'What it is, for people.';
comment on column public.email_types.category is 'security and transactional always go out; product obeys email_preferences.product_updates_opt_in, marketing obeys marketing_opt_in.';
comment on column public.email_types.capped is 'Whether it counts against, and waits for, the recipient''s one capped email per email_settings.marketing_cooldown.';
comment on column public.email_types.priority is 'Higher goes first, in the queue and for the recipient''s slot. A row''s own priority wins.';
comment on column public.email_types.enabled is 'false: nothing is enqueued any more, and what was queued becomes suppressed (type disabled). Enabling again sets active_since to now.';
comment on column public.email_types.paused_at is 'When it was paused; null means running. Rows of a paused type wait; nothing is lost.';
comment on column public.email_types.paused_reason is 'Why it was paused; null means running, or no reason given.';
comment on column public.email_types.phase is 'The rollout phase of the specification, section 9; see email_enable_phase.';
comment on column public.email_types.expires_after is 'Counted from email_outbox.due_at: a letter that could not go out by then is suppressed as expired.';
comment on column public.email_types.max_attempts is 'Requests the provider may answer with a failure before the row is failed.';
comment on column public.email_types.holdout_percent is 'Share of users, picked by a stable hash of user and code, who are suppressed as holdout, so that the KPI views can show what the email itself changed. 0 means nobody.';
comment on column public.email_types.active_since is 'Facts older than this never cause this email: installing on a live database sends nothing about the past.';
comment on column public.email_types.params is 'Thresholds and delays of this code, by name; documented at the top of its file in sql/triggers/.';

insert into public.email_types (code, name, category, capped, priority, phase, expires_after, params) values
('E-TRX-01',  'Welcome after sign-up',                  'transactional', false,  90, 1, '7 days',  '{}'),
('E-TRX-02',  'Invitation to a project',                'transactional', false,  90, 1, '2 days',  '{"steps": {"J0": "0 days", "J2": "2 days", "J5": "5 days"}}'),
('E-SEC-01',  'Two-factor authentication changed',      'security',      false, 100, 1, '3 days',  '{}'),
('E-SEC-02',  'Suspicious login',                       'security',      false, 100, 1, '3 days',  '{"known_for": "90 days"}'),
('E-ACT-01',  'Signed up, no project yet',              'product',       true,   60, 1, '3 days',  '{"delay": "2 hours"}'),
('E-ACT-02',  'Project without a deployment',           'product',       true,   60, 3, '5 days',  '{"delay": "24 hours"}'),
('E-ACT-03',  'Deployment started, never finished',     'product',       true,   60, 3, '5 days',  '{"delay": "48 hours"}'),
('E-ACT-04',  'First verdict of a project',             'product',       true,   80, 1, '3 days',  '{}'),
('E-ACT-05',  'Critical verdict',                       'transactional', false,  95, 2, '1 day',   '{"verdicts": ["warning", "rollback_recommended"]}'),
('E-CONV-01', 'Free quota at 80 %',                     'marketing',     true,   50, 1, '5 days',  '{"threshold": 40, "quota": 50}'),
('E-CONV-02', 'Free quota at 90 %',                     'marketing',     true,   55, 1, '3 days',  '{"threshold": 45, "quota": 50}'),
('E-CONV-03', 'Free quota reached',                     'marketing',     true,   70, 1, '3 days',  '{"quota": 50}'),
('E-CONV-04', 'Pro feature attempted',                  'marketing',     true,   40, 3, '3 days',  '{}'),
('E-CONV-05', 'Monthly value report of a free project', 'marketing',     true,   20, 3, '7 days',  '{"local_time": "09:00", "blast_limit": null}'),
('E-RET-01',  'Weekly usage report',                    'product',       true,   30, 2, '1 day',   '{"local_time": "08:00", "blast_limit": null}'),
('E-RET-02',  'Activity dropped',                       'marketing',     true,   45, 3, '3 days',  '{"min_deployments": 4, "drop_percent": 50}'),
('E-RET-03',  'Inactive for 14 days',                   'marketing',     true,   35, 2, '5 days',  '{"inactive": "14 days"}'),
('E-RET-04',  'Inactive for 30 days',                   'marketing',     true,   36, 3, '5 days',  '{"steps": {"J30": "30 days", "J37": "37 days"}}'),
('E-BILL-01', 'Payment failed',                         'transactional', false,  92, 2, '3 days',  '{"steps": {"J0": "0 days", "J3": "3 days", "J7": "7 days", "J10": "10 days"}}'),
('E-BILL-02', 'Payment succeeded',                      'transactional', false,  85, 2, '7 days',  '{}'),
('E-ADV-01',  'NPS survey after a milestone',           'marketing',     true,   15, 3, '7 days',  '{"active_days": 30, "min_deployments": 20}'),
('E-ADV-02',  'Review request to a promoter',           'marketing',     true,   16, 3, '14 days', '{"delay": "1 day", "min_score": 9}');

create function public.email_identity() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
select c.system_identifier::text || '/' || pg_catalog.current_database() from pg_catalog.pg_control_system() c
$$;
comment on function public.email_identity() is
'Which database this is: the cluster''s system identifier and the database''s name. A promoted standby answers the same; a restore into another cluster or under another name does not.';
revoke all on function public.email_identity() from public;

create table public.email_settings (
    id                 boolean     not null default true,
    marketing_cooldown interval    not null default '24 hours',
    lookahead          interval    not null default '2 hours',
    blast_limit        integer     not null default 10000,
    retention_sent     interval    not null default '7 days',
    retention_failed   interval    not null default '90 days',
    notify             boolean     not null default true,
    paused_at          timestamptz,
    paused_reason      text,
    armed_for          text,
    constraint email_settings_pkey primary key (id),
    constraint email_settings_one_row check (id),
    constraint email_settings_marketing_cooldown_not_negative check (marketing_cooldown >= interval '0'),
    constraint email_settings_lookahead_not_negative check (lookahead >= interval '0'),
    constraint email_settings_blast_limit_positive check (blast_limit > 0),
    constraint email_settings_retention_positive check (retention_sent > interval '0' and retention_failed > interval '0'),
    constraint email_settings_paused_reason_only_paused check (paused_reason is null or paused_at is not null)
);
comment on table public.email_settings is 'One row: what holds for every kind of email.';
comment on column public.email_settings.id is 'Always true: there is one row.';
comment on column public.email_settings.marketing_cooldown is 'At most one capped email per recipient in this time.';
comment on column public.email_settings.lookahead is 'A lighter capped email does not take the slot while a heavier one for the same recipient falls due within this time.';
comment on column public.email_settings.blast_limit is 'A scan that would enqueue more rows than this in one run enqueues nothing and pauses its type; email_types.params.blast_limit overrides it.';
comment on column public.email_settings.retention_sent is 'How long sent and suppressed outbox rows stay; the journal keeps their keys for ever.';
comment on column public.email_settings.retention_failed is 'How long failed outbox rows stay.';
comment on column public.email_settings.notify is 'false for applications that use PREPARE TRANSACTION (it cannot be combined with NOTIFY): the poll then serves.';
comment on column public.email_settings.paused_at is 'Since when nothing at all is sent; null means running. Set by email_pause(null), or by a sidecar when the provider refuses the whole account.';
comment on column public.email_settings.paused_reason is 'Why nothing is sent; null means running, or no reason given.';
comment on column public.email_settings.armed_for is 'The email_identity() this database may send from; null or another one (a restored copy) means nothing is sent until email_arm() is called.';

insert into public.email_settings (armed_for) values (public.email_identity());
