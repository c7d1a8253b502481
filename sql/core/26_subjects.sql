-- A/B subjects: which one a user gets, and which keys one may use.

-- The plain keys of docs/letters.md (text and numbers; times, lists and flags make no subject).  Every letter knows first_name.
create or replace function public.email_subject_keys(code text) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
select array['first_name'] || coalesce((
    select k.keys
    from (values
    ('E-TRX-01', array['project_name', 'inviter_name', 'accept_url']::text[]),
    ('E-TRX-02', array['step', 'project_name', 'inviter_name', 'inviter_email', 'accept_url']::text[]),
    ('E-SEC-01', array['login_ip', 'login_country', 'login_city', 'login_device']::text[]),
    ('E-SEC-02', array['ip', 'country', 'city', 'device']::text[]),
    ('E-ACT-01', array[]::text[]),
    ('E-ACT-02', array['project_name', 'project_id', 'env', 'tech_stack']::text[]),
    ('E-ACT-03', array['project_name', 'project_id', 'deployment_id', 'deployment_number', 'env', 'unfinished']::text[]),
    ('E-ACT-04', array['project_name', 'env', 'deployment_number', 'verdict', 'project_id', 'deployment_id', 'latency_delta', 'error_rate_delta', 'confidence', 'summary', 'diagnosis', 'plan']::text[]),
    ('E-ACT-05', array['project_name', 'env', 'deployment_number', 'verdict', 'project_id', 'deployment_id', 'latency_delta', 'error_rate_delta', 'confidence', 'summary', 'diagnosis', 'plan']::text[]),
    ('E-CONV-01', array['project_name', 'deployments_used', 'deployments_limit', 'project_id', 'estimated_days_left', 'deployments_per_day', 'alerts', 'resets_on']::text[]),
    ('E-CONV-02', array['project_name', 'deployments_used', 'deployments_limit', 'project_id', 'estimated_days_left', 'deployments_per_day', 'alerts', 'resets_on']::text[]),
    ('E-CONV-03', array['project_name', 'deployments_used', 'deployments_limit', 'project_id', 'resets_on']::text[]),
    ('E-CONV-04', array['feature', 'project_name', 'project_id', 'original_env', 'forced_env']::text[]),
    ('E-CONV-05', array['project_name', 'month', 'deployments', 'analysed', 'warnings', 'rollbacks', 'unmeasured', 'failed', 'project_id', 'latency_delta', 'previous_deployments', 'previous_warnings', 'previous_rollbacks']::text[]),
    ('E-RET-01', array['week_start', 'deployments', 'analysed', 'warnings', 'rollbacks', 'unmeasured', 'failed', 'latency_delta', 'previous_deployments', 'previous_warnings', 'previous_rollbacks']::text[]),
    ('E-RET-02', array['project_name', 'deployments', 'previous_deployments', 'project_id']::text[]),
    ('E-RET-03', array['step', 'project_name', 'project_id']::text[]),
    ('E-RET-04', array['step', 'project_name', 'project_id']::text[]),
    ('E-BILL-01', array['step', 'invoice_id', 'amount', 'currency', 'update_url', 'project_name', 'project_id']::text[]),
    ('E-BILL-02', array['amount', 'currency', 'invoice_id', 'invoice_url', 'project_name', 'project_id', 'payment', 'month', 'deployments', 'analysed', 'warnings', 'rollbacks', 'failed_pipelines']::text[]),
    ('E-ADV-01', array['deployments', 'active_days']::text[]),
    ('E-ADV-02', array['score']::text[])
    ) k (code, keys)
    where k.code = $1
), '{}')
$$;
comment on function public.email_subject_keys(text) is 'The keys a subject of this code may use in braces, such as {first_name}.';
revoke all on function public.email_subject_keys(text) from public;

create or replace function public.email_subject_variants_check() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    known text[] := public.email_subject_keys(new.email_type);
    unknown text;
begin
    if regexp_replace(new.subject, '\{\w+\}', '', 'g') ~ '[{}]' then
        raise exception 'subject of % variant %: a brace without its partner', new.email_type, new.variant using errcode = 'check_violation';
    end if;
    select m[1] into unknown from regexp_matches(new.subject, '\{(\w+)\}', 'g') m where m[1] <> all(known) limit 1;
    if found then
        raise exception 'subject of % variant %: unknown key {%}', new.email_type, new.variant, unknown
            using errcode = 'check_violation', hint = 'This letter knows ' || array_to_string(known, ', ') || '.';
    end if;
    return new;
end
$$;
comment on function public.email_subject_variants_check() is 'Before a subject is inserted or changed: refuses keys its letter does not know.';
revoke all on function public.email_subject_variants_check() from public;

create or replace trigger email_subject_variants_check before insert or update on public.email_subject_variants
for each row execute function public.email_subject_variants_check();

-- The same user gets the same variant of a type for as long as variants and weights stay the same.
create or replace function public.email_subject_choice(code text, user_id uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
with candidates as (
    select v.variant, v.subject,
        sum(v.weight) over (order by v.variant) as up_to,
        sum(v.weight) over () as total
    from public.email_subject_variants v
    where v.email_type = $1 and v.enabled
)
select jsonb_build_object('subject_variant', c.variant, 'subject_template', c.subject)
from candidates c
where c.up_to > ('x' || substr(md5($2::text || ':' || $1), 1, 8))::bit(32)::bigint % c.total
order by c.up_to
limit 1
$$;
comment on function public.email_subject_choice(text, uuid) is
'The A/B subject of this user for this code: subject_variant and subject_template, which the claim puts into the letter''s context; null when the type has no enabled variant.';
revoke all on function public.email_subject_choice(text, uuid) from public;
select public.email_grant('execute on function public.email_subject_choice(text, uuid)', 'email_worker');
select public.email_grant('execute on function public.email_subject_keys(text)', 'email_admin');
