-- Purpose: the catalogue (one row per E-* code), and the subjects that are tried against each other.
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
    blast_found     integer,
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
    constraint email_types_blast_found_positive check (blast_found > 0),
    constraint email_types_params_object check (jsonb_typeof(params) = 'object'),
    constraint email_types_paused_reason_only_paused check (paused_reason is null or paused_at is not null)
);
comment on table public.email_types is 'The catalogue: one row per kind of email, edited by DBAs. How a kind is caused and when it is true stands in sql/triggers/, one file per code.';
comment on column public.email_types.code is 'The code of the specification, such as E-TRX-01.';
comment on column public.email_types.name is 'What it is, for people.';
comment on column public.email_types.category is 'security and transactional always go out; product obeys email_preferences.product_updates_opt_in, marketing obeys marketing_opt_in.';
comment on column public.email_types.capped is 'Whether it counts against, and waits for, the recipient''s one capped email of its category per email_settings.marketing_cooldown.';
comment on column public.email_types.priority is 'Higher goes first, in the queue and for the recipient''s slot. A row''s own priority wins.';
comment on column public.email_types.enabled is 'false: nothing is enqueued any more, and what was queued becomes suppressed (type disabled). Enabling again sets active_since to now.';
comment on column public.email_types.paused_at is 'When it was paused; null means running. Rows of a paused type wait; nothing is lost.';
comment on column public.email_types.paused_reason is 'Why it was paused; null means running, or no reason given.';
comment on column public.email_types.blast_found is 'How many letters a scan held back because they were over the blast limit: it paused the type. Once the type is resumed the next scan lets them through and empties this; null means nothing is held back.';
comment on column public.email_types.phase is 'The rollout phase (docs/rules.md#phases); see email_enable_phase.';
comment on column public.email_types.expires_after is 'Counted from email_outbox.due_at: a letter that could not go out by then is suppressed as expired.';
comment on column public.email_types.max_attempts is 'Requests the provider may answer with a failure before the row is failed.';
comment on column public.email_types.holdout_percent is 'Share of users, picked by a stable hash of user and code, who are suppressed as holdout, so that the KPI views can show what the email itself changed. 0 means nobody.';
comment on column public.email_types.active_since is 'Facts older than this never cause this email: installing on a live database sends nothing about the past.';
comment on column public.email_types.params is 'Thresholds and delays of this code, by name; documented at the top of its file in sql/triggers/.';

-- params.ahead: how long before its moment local-time mail is put into the queue.  Longer than the two hours after which a sidecar
-- takes over an hourly schedule, so that a letter is always there before it is due.
insert into public.email_types (code, name, category, capped, priority, phase, expires_after, params) values
('E-TRX-01',  'Welcome after sign-up',                  'transactional', false,  90, 1, '7 days',  '{}'),
('E-TRX-02',  'Invitation to a project',                'transactional', false,  90, 1, '2 days',  '{"steps": {"J0": "0 days", "J2": "2 days", "J5": "5 days"}}'),
('E-SEC-01',  'Two-factor authentication changed',      'security',      false, 100, 1, '3 days',  '{}'),
('E-SEC-02',  'Suspicious login',                       'security',      false, 100, 1, '3 days',  '{"known_for": "90 days"}'),
('E-ACT-01',  'Signed up, no project yet',              'product',       true,   60, 1, '3 days',  '{"delay": "2 hours"}'),
('E-ACT-02',  'Project without a deployment',           'product',       true,   60, 3, '5 days',  '{"delay": "24 hours", "new_for": "14 days", "quiet": "14 days"}'),
('E-ACT-03',  'Deployment started, never finished',     'product',       true,   60, 3, '5 days',  '{"delay": "48 hours"}'),
('E-ACT-04',  'First verdict of a project',             'product',       false,  80, 1, '3 days',  '{}'),
('E-ACT-05',  'Critical verdict',                       'transactional', false,  95, 2, '1 day',   '{"verdicts": ["warning", "rollback_recommended"], "digest_within": "1 hour"}'),
('E-CONV-01', 'Free quota at 80 %',                     'marketing',     true,   50, 1, '5 days',  '{"threshold": 40, "quota": 50}'),
('E-CONV-02', 'Free quota at 90 %',                     'marketing',     true,   55, 1, '3 days',  '{"threshold": 45, "quota": 50}'),
('E-CONV-03', 'Free quota reached',                     'transactional', false,  70, 1, '3 days',  '{"quota": 50}'),
('E-CONV-04', 'Pro feature attempted',                  'marketing',     true,   40, 3, '3 days',  '{"quiet": "7 days"}'),
('E-CONV-05', 'Monthly value report of free projects', 'marketing',     true,   20, 3, '7 days',  '{"local_time": "09:00", "ahead": "3 hours", "blast_limit": null}'),
('E-RET-01',  'Weekly usage report',                    'product',       true,   30, 2, '1 day',   '{"local_time": "08:00", "ahead": "3 hours", "blast_limit": null}'),
('E-RET-02',  'Activity dropped',                       'marketing',     true,   45, 3, '3 days',  '{"min_deployments": 4, "drop_percent": 50}'),
('E-RET-03',  'Inactive for 14 days',                   'marketing',     true,   35, 2, '5 days',  '{"inactive": "14 days"}'),
('E-RET-04',  'Inactive for 30 days',                   'marketing',     true,   36, 3, '5 days',  '{"steps": {"J30": "30 days", "J37": "37 days"}}'),
('E-BILL-01', 'Payment failed',                         'transactional', false,  92, 2, '3 days',  '{"steps": {"J0": "0 days", "J3": "3 days", "J7": "7 days", "J10": "10 days"}}'),
('E-BILL-02', 'Payment succeeded',                      'transactional', false,  85, 2, '7 days',  '{}'),
('E-ADV-01',  'NPS survey after a milestone',           'marketing',     true,   15, 3, '7 days',  '{"milestones": {"days": [30, 180], "then_every": 365}, "active_days": 30, "min_deployments": 20, "spread": "28 days", "quiet": "150 days"}'),
('E-ADV-02',  'Review request to a promoter',           'marketing',     true,   16, 3, '14 days', '{"delay": "1 day", "min_score": 9}');

-- Where each letter's button leads: see sql/core/27_buttons.sql.
update public.email_types t set params = jsonb_build_object('cta_path', d.cta_path) || t.params
from (values
    ('E-TRX-01',  '{onboarding_path}'),
    ('E-TRX-02',  '{accept_url}'),
    ('E-SEC-01',  '/dashboard/settings'),
    ('E-SEC-02',  '{answer} | /dashboard/settings'),
    ('E-ACT-01',  '{onboarding_path}'),
    ('E-ACT-02',  '/dashboard/projects/{unique_slug}?tab=integration | /dashboard/projects'),
    ('E-ACT-03',  '/dashboard/projects/{unique_slug}?tab=integration | /dashboard/projects'),
    ('E-ACT-04',  '/dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}'),
    ('E-ACT-05',  '/dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}'),
    ('E-CONV-01', '{support}'),
    ('E-CONV-02', '{support}'),
    ('E-CONV-03', '{support}'),
    ('E-CONV-04', '{support}'),
    ('E-CONV-05', '{support}'),
    ('E-RET-01',  '{dashboard_path}'),
    ('E-RET-02',  '{answer} | {support}'),
    ('E-RET-03',  '{dashboard_path}'),
    ('E-RET-04',  '{answer} | {dashboard_path}'),
    ('E-BILL-01', '{update_url} | {support}'),
    ('E-BILL-02', '/dashboard/deployments'),
    ('E-ADV-01',  '{survey}'),
    ('E-ADV-02',  '{review_url}')
) d (code, cta_path)
where t.code = d.code;

create table public.email_subject_variants (
    email_type text    not null,
    variant    text    not null,
    subject    text    not null,
    weight     integer not null default 1,
    enabled    boolean not null default true,
    constraint email_subject_variants_pkey primary key (email_type, variant),
    constraint email_subject_variants_email_type_fkey foreign key (email_type) references public.email_types (code),
    constraint email_subject_variants_weight_positive check (weight > 0),
    constraint email_subject_variants_subject_one_line check (subject <> '' and subject !~ '[[:cntrl:]]')
);
comment on table public.email_subject_variants is 'A/B subjects: one is chosen per user by a stable hash, in proportion to the weights.';
comment on column public.email_subject_variants.email_type is 'A code of email_types.';
comment on column public.email_subject_variants.variant is 'Its name in the results, such as A.';
comment on column public.email_subject_variants.subject is 'The subject line; {key} is replaced from the letter''s context.';
comment on column public.email_subject_variants.weight is 'Its share among the enabled variants of the type.';
comment on column public.email_subject_variants.enabled is 'Whether it is being used.';
