-- Where buttons lead: cta_path as it is checked, and what only links need.
begin;
\ir support/fixtures.sql
select plan(45);

-- What is refused, and how it is said ---------------------------------------------------------------------------------------
create function pg_temp.put(code text, path text) returns text
language plpgsql
as $$
declare
    hint text;
begin
    update public.email_types t set params = t.params || jsonb_build_object('cta_path', path) where t.code = put.code;
    return 'taken';
exception when check_violation then
    get stacked diagnostics hint = pg_exception_hint;
    return sqlerrm || ' / ' || left(hint, 17);
end
$$;
select is(pg_temp.put(c.code, c.path), case when c.wrong is null then 'taken' else format('cta_path of %s: %s / This letter knows', c.code, c.wrong) end, c.code || ' ' || c.path)
from (values
    ('E-ACT-05', '/dashboard/SDH', null),
    ('E-ACT-05', '/dashboard/projects/{unique_slug}?tab=diagnostics|{dashboard_path}', null),
    ('E-ACT-05', '/dashboard/deployments/{project_slug}/dpl_{deployment_number} | {support}', null),
    ('E-ACT-01', '{dashboard_path}/projects/new', null),
    ('E-CONV-01', '{pricing_path}', null),
    ('E-ADV-02', '{review_url}', null),
    ('E-RET-04', '{answer}', null),
    ('E-ACT-05', 'dashboard', '"dashboard" is no path: it begins with one /'),
    ('E-ACT-05', '//evil.example', '"//evil.example" is no path: it begins with one /'),
    ('E-ACT-05', 'https://evil.example', '"https://evil.example" is an address, not a path below FRONTEND_URL'),
    ('E-ACT-05', 'javascript:alert(1)', '"javascript:alert(1)" is an address, not a path below FRONTEND_URL'),
    ('E-ACT-05', '/a b', '"/a b" has a character that no path has'),
    ('E-ACT-05', '/a\b', '"/a\b" has a character that no path has'),
    ('E-ACT-05', '', 'empty'),
    ('E-ACT-05', '/a | ', 'an alternative is empty'),
    ('E-ACT-05', '/p/{project_slug', 'a brace without its partner'),
    ('E-ACT-05', '/p/{project}', 'unknown placeholder {project}'),
    ('E-ACT-05', '{answer}', 'unknown placeholder {answer}'),
    ('E-ACT-01', '/p/{project_slug}', 'unknown placeholder {project_slug}'),
    ('E-RET-04', '/x/{answer}', '"/x/{answer}": such an address stands alone'),
    ('E-TRX-02', '/x{accept_url}', '"/x{accept_url}": such an address stands alone'),
    ('E-CONV-01', '{project_slug}/x', '"{project_slug}/x" is no path: it begins with one /')
) c (code, path, wrong);
select throws_like(
    $$ update public.email_types set params = params || '{"cta_path": 7}' where code = 'E-ACT-05' $$,
    'cta_path of E-ACT-05: not a text', 'a number is no cta_path'
);
select lives_ok($$ update public.email_types set params = params - 'cta_path' where code = 'E-ACT-05' $$, 'without one the letter''s own default holds');
select lives_ok($$ update public.email_types set params = params || '{"cta_path": null}' where code = 'E-ACT-05' $$, 'with cta_path null the letter''s own default holds');
select is_empty(
    $$ select t.code, public.email_cta_problem(t.code, t.params ->> 'cta_path') from public.email_types t where public.email_cta_problem(t.code, t.params ->> 'cta_path') is not null $$,
    'nothing in the catalogue would be refused'
);

-- The slug ------------------------------------------------------------------------------------------------------------------
select is(public.email_project_slug(n.name), n.slug, format('%L is %s', n.name, n.slug))
from (values
    ('Checkout API', 'checkout-api'),
    ('  Déjà  Vu — Œuvre!  ', 'deja-vu-uvre'),
    ('ÉTÉ_2026', 'ete-2026'),
    ('ﬁn', 'fin'),
    ('ISTANBUL', 'istanbul'),
    ('日本', 'project'),
    ('---', 'project'),
    ('a/../b?c#d', 'a-b-c-d')
) n (name, slug);

-- What a letter's links are given ----------------------------------------------------------------------------------------------
update public.email_types set params = params || '{"cta_path": "/dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}"}' where code = 'E-ACT-05';
select fixture.account('nassir') as nassir \gset
select fixture.account('nadia') as nadia \gset
select fixture.project(:'nassir', 'Déjà Vu') as project \gset
insert into public.email_project_contacts (project_id, email, role, user_id) values
    (:'project', 'oncall@example.com', 'on_call', null), (:'project', 'nadia@example.com', 'on_call', :'nadia');
select fixture.verdict(fixture.deployment(:'project', 1, 'analyzed'), 'warning');
create function pg_temp.links(key text) returns jsonb
language sql
as $$
select coalesce(jsonb_object_agg(k.key, k.value), '{}')
from public.email_outbox o
cross join lateral public.email_gates(array[o.id]) g
cross join lateral jsonb_each(g.context) k
where o.dedupe_key like links.key and k.key in ('project_slug', 'unique_slug', 'owner_email', 'answer_key')
$$;
select is(
    (select pg_temp.links(o.dedupe_key) from public.email_outbox o where o.email_type = 'E-ACT-05' and o.to_email is null),
    '{"project_slug": "deja-vu"}', 'the owner''s letter knows the slug'
);
select is(
    (select pg_temp.links(o.dedupe_key) from public.email_outbox o where o.email_type = 'E-ACT-05' and o.to_email = 'oncall@example.com'),
    '{"project_slug": "deja-vu", "owner_email": "nassir@example.com"}', 'a copy knows whom to write to'
);
select is(
    (select pg_temp.links(o.dedupe_key) from public.email_outbox o where o.email_type = 'E-ACT-05' and o.to_email = 'nadia@example.com'),
    '{"project_slug": "deja-vu", "owner_email": "nassir@example.com"}', 'a copy to a contact with an account knows whom to write to'
);

update public.email_types set active_since = now() - interval '3 days' where code = 'E-ACT-02';
select fixture.project(:'nadia', 'Checkout API') as older \gset
select is(public.email_link_keys('/x/{unique_slug}', 'k', :'older', null), '{"project_slug": "checkout-api", "unique_slug": "checkout-api"}', 'the only project of that slug is found by it');
insert into public.projects (owner_id, name, plan, api_key, hmac_secret, envs, created_at) values (:'nadia', 'checkout  api', 'free', 'n', 'n', '{prod}', now() + interval '1 minute') returning id as newer \gset
select is(public.email_link_keys('/x/{unique_slug}', 'k', :'older', null), '{"project_slug": "checkout-api"}', 'the older project of that slug is not found by it');
select is(public.email_link_keys('/x/{unique_slug}', 'k', :'newer', null), '{"project_slug": "checkout-api", "unique_slug": "checkout-api"}', 'the newer project of that slug is found by it');
select is(public.email_link_keys('/x/{project_slug}', 'k', gen_random_uuid(), null), '{}', 'a project that is gone has none');
select is(public.email_link_keys('{dashboard_path}', 'k', :'older', null), '{}', 'and no letter is given what its button does not need');

-- An invitation is no copy: its recipient is told no address.
select fixture.signal('invitation_created', :'nassir', :'project', '{"invitation_id": "i1", "invitee_email": "new@example.com", "accept_url": "https://app.example/i"}');
select is(pg_temp.links('invitation:i1:J0'), '{}', 'an invited person is not told the owner''s address');

-- A column of the application that is gone holds up no claim.
alter table public.projects rename column name to title;
select is(public.email_link_keys('{answer} | /x/{project_slug}', 'k', :'older', null) - 'answer_key', '{}', 'without the column there is no slug');
select ok(public.email_link_keys('{answer} | /x/{project_slug}', 'k', :'older', null) ? 'answer_key', 'without the column there is still the answer''s key');

select * from finish();
rollback;
