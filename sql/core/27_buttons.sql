-- Where a letter's button leads: email_types.params.cta_path, checked when it is written, and the keys that only links need.
--
-- cta_path is one alternative or several, separated by "|"; the first counts whose every {placeholder} has a value:
--
--   /dashboard/projects/{project_slug}   a path below FRONTEND_URL; a placeholder is a key of the letter's context
--   {dashboard_path} {pricing_path} {onboarding_path}   the same, with the path that EMAIL_CTA_…_PATH says; more may follow
--   {accept_url} {update_url} {invoice_url}   an address that the fact brought
--   {answer}       the page of ours that asks this letter's question (81_answers.sql)
--   {survey}       the survey's page
--   {review_url}   EMAIL_REVIEW_URL
--   {support}      a message to EMAIL_SUPPORT_ADDRESS

-- Checking ---------------------------------------------------------------------------------------------------------------
create or replace function public.email_cta_keys(code text) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    own constant text[] := public.email_subject_keys(code);
begin
    return array(select k from unnest(own) k where k <> 'first_name')
        || array['dashboard_path', 'pricing_path', 'onboarding_path', 'support', 'review_url']
        || case when own && array['project_id'] then array['project_slug', 'unique_slug'] else '{}' end
        || case when code in ('E-SEC-02', 'E-RET-02', 'E-RET-04') then array['answer'] else '{}' end
        || case when code = 'E-ADV-01' then array['survey'] else '{}' end;
end
$$;
comment on function public.email_cta_keys(text) is 'The placeholders that cta_path of this code may have in braces.';
revoke all on function public.email_cta_keys(text) from public;

create or replace function public.email_cta_problem(code text, cta_path text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- What stands alone, being an address already.
    whole constant text := '^\{(support|answer|survey|[a-z_]+_url)\}$';
    known constant text[] := public.email_cta_keys(code);
    alternative text;
    key text;
begin
    foreach alternative in array coalesce(string_to_array(cta_path, '|'), '{}') loop
        alternative := btrim(alternative);
        for key in select m[1] from regexp_matches(alternative, '\{([^{}]*)\}', 'g') m loop
            if key <> all(known) then
                return format('unknown placeholder {%s}', key);
            end if;
        end loop;
        if alternative ~ whole then
            continue;
        elsif alternative = '' then
            return 'an alternative is empty';
        elsif regexp_replace(alternative, '\{[a-z_]+\}', '', 'g') ~ '[{}]' then
            return 'a brace without its partner';
        elsif alternative ~ '\{(support|answer|survey|[a-z_]+_url)\}' then
            return format('"%s": such an address stands alone', alternative);
        elsif alternative ~ '^[a-zA-Z][a-zA-Z0-9+.-]*:' then
            return format('"%s" is an address, not a path below FRONTEND_URL', alternative);
        elsif alternative ~ '^//' or alternative !~ '^(/|\{(dashboard|pricing|onboarding)_path\})' then
            return format('"%s" is no path: it begins with one /', alternative);
        elsif alternative ~ '[[:space:][:cntrl:]\\"<>]' then
            return format('"%s" has a character that no path has', alternative);
        elsif length(alternative) > 500 then
            return 'longer than 500 characters';
        end if;
    end loop;
    return case when cta_path = '' then 'empty' end;
end
$$;
comment on function public.email_cta_problem(text, text) is 'What is wrong with this cta_path for this code, in words; null: nothing.';
revoke all on function public.email_cta_problem(text, text) from public;

create or replace function public.email_types_cta_check() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    problem text;
begin
    if jsonb_typeof(new.params) = 'object' and new.params ? 'cta_path' and jsonb_typeof(new.params -> 'cta_path') <> 'null' then
        problem := case
            when jsonb_typeof(new.params -> 'cta_path') <> 'string' then 'not a text'
            else public.email_cta_problem(new.code, new.params ->> 'cta_path')
        end;
        if problem is not null then
            raise exception 'cta_path of %: %', new.code, problem
                using errcode = 'check_violation', hint = 'This letter knows {' || array_to_string(public.email_cta_keys(new.code), '}, {')
                    || '}; alternatives are separated by |, such as /dashboard/deployments/{project_slug}/{deployment_id} | {dashboard_path}.';
        end if;
    end if;
    return new;
end
$$;
comment on function public.email_types_cta_check() is 'Before params of a type are inserted or changed: refuses a cta_path that no letter of it could use.';
revoke all on function public.email_types_cta_check() from public;

create or replace trigger email_types_cta_check before insert or update of params on public.email_types
for each row execute function public.email_types_cta_check();

-- What only links need ----------------------------------------------------------------------------------------------------
-- As the application makes it: name, NFKD, without what is not ASCII, lower case, everything else a dash.  A database that is
-- not in UTF-8 cannot decompose; there the application finds the project by its letters without accents all the same.
create or replace function public.email_project_slug(name text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    plain text := name;
begin
    if getdatabaseencoding() = 'UTF8' then
        plain := normalize(name, nfkd);
    end if;
    plain := regexp_replace(plain collate "C", '[^\x01-\x7f]', '', 'g');
    plain := btrim(regexp_replace(lower(plain collate "C"), '[^a-z0-9]+', '-', 'g'), '-');
    return coalesce(nullif(plain, ''), 'project');
end
$$;
comment on function public.email_project_slug(text) is 'What the application calls a project of this name in its addresses; project when nothing of the name is left.';
revoke all on function public.email_project_slug(text) from public;

create or replace function public.email_answer_key(dedupe_key text) returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select left(encode(sha256(s.answers || convert_to(dedupe_key, 'UTF8')), 'hex'), 32)
        from public.email_secrets s
    );
end
$$;
comment on function public.email_answer_key(text) is 'The secret half of the token with which a letter''s question is answered: made of its dedupe key and email_secrets, so that it is the same each time the letter is rendered, needs no row of its own, and cannot be guessed.';
revoke all on function public.email_answer_key(text) from public;

-- SECURITY DEFINER: the secret is nobody else's.  A column of the application that is gone must not hold up the claim: the link
-- then has one value less.
create or replace function public.email_link_keys(cta_path text, dedupe_key text, project uuid, copy_to text) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    keys jsonb := jsonb_build_object();
    found_project record;
begin
    if strpos(cta_path, '{answer}') > 0 then
        keys := jsonb_build_object('answer_key', public.email_answer_key(dedupe_key));
    end if;
    if project is null or (copy_to is null and strpos(cta_path, '_slug}') = 0) then
        return keys;
    end if;
    select p.owner_id, p.created_at, u.email, public.email_project_slug(p.name) as slug into found_project
    from public.projects p left join public.users u on u.id = p.owner_id
    where p.id = project;
    if not found then
        return keys;
    end if;
    keys := keys || jsonb_build_object('project_slug', found_project.slug);
    if lower(found_project.email) <> lower(copy_to) then
        keys := keys || jsonb_build_object('owner_email', found_project.email);
    end if;
    if strpos(cta_path, '{unique_slug}') > 0 and not exists (
        select from public.projects n
        where n.owner_id = found_project.owner_id and (n.created_at, n.id) > (found_project.created_at, project)
        and public.email_project_slug(n.name) = found_project.slug
    ) then
        keys := keys || jsonb_build_object('unique_slug', found_project.slug);
    end if;
    return keys;
exception when undefined_column or undefined_table then
    return keys;
end
$$;
comment on function public.email_link_keys(text, text, uuid, text) is
'What a letter''s links need beside its figures: answer_key; project_slug; unique_slug (the same, unless a newer project of the owner has it and is what the application would show); owner_email (when copy_to, the address of a copy, is not the owner''s).';
revoke all on function public.email_link_keys(text, text, uuid, text) from public;

select public.email_grant(g.privileges, g.role_name)
from (values
    ('email_worker', 'execute on function public.email_link_keys(text, text, uuid, text)'),
    ('email_admin', 'execute on function public.email_link_keys(text, text, uuid, text), public.email_cta_keys(text), public.email_cta_problem(text, text), public.email_project_slug(text)')
) g (role_name, privileges);
