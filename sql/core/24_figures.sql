-- What several codes' functions for "still true and fresh figures" share.

-- An id may stand in the key only: plain inserts and the application's own jobs carry the catalogue's keys (docs/rules.md#hand-over).
create or replace function public.email_key_id(dedupe_key text, part integer) returns uuid
language sql immutable strict
set search_path = pg_catalog, pg_temp
as $$
select case when split_part(dedupe_key, ':', part) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then split_part(dedupe_key, ':', part)::uuid end
$$;
comment on function public.email_key_id(text, integer) is
'The id in this part of a dedupe key (parts are separated by colons, the first is 1); null when no uuid stands there.';
revoke all on function public.email_key_id(text, integer) from public;

-- For letters that leave their reader in peace for a while, whatever caused them.  From the journal, which remembers, and from the
-- queue, which knows what is on its way.
create or replace function public.email_last_letter(of_user uuid, code text, other_than text, within interval)
returns table (went_at timestamptz)
language sql stable
as $$
select max(l.went_at)
from (
    select d.sent_at from public.email_deliveries d
    where d.user_id = of_user and d.email_type = code and d.status = 'sent' and d.dedupe_key <> other_than and d.sent_at > public.email_now() - within
    union all
    select coalesce(o.finished_at, public.email_now()) from public.email_outbox o
    where o.user_id = of_user and o.email_type = code and o.dedupe_key <> other_than
    -- One that was tried before goes again as it is.
    and (o.status in ('sending', 'sent') or o.status = 'queued' and o.batch_id is not null)
    and coalesce(o.finished_at, public.email_now()) > public.email_now() - within
) l (went_at)
$$;
comment on function public.email_last_letter(uuid, text, text, interval) is
'When the latest letter of this code under another key went to this user, not longer ago than within; one that is being sent counts as sent now. One row; null: none did.';
revoke all on function public.email_last_letter(uuid, text, text, interval) from public;
select public.email_grant('execute on function public.email_last_letter(uuid, text, text, interval)', r.role_name) from unnest(array['email_worker', 'email_admin']) r (role_name);

-- Who was invited need not be told to create a project.  Addresses are the same in upper and lower case; one that was accepted comes
-- before one that waits, of several the latest.
create or replace function public.email_invitation(address text, as_of timestamptz)
returns table (invitation_id text, inviter uuid, project_id uuid, payload jsonb, accepted boolean)
language sql stable
as $$
select s.payload ->> 'invitation_id', s.user_id, s.project_id, s.payload, a.accepted
from public.email_signals s
cross join lateral (
    select
        exists (
            select from public.email_signals x
            where x.payload ->> 'invitation_id' = s.payload ->> 'invitation_id' and x.kind = 'invitation_accepted' and x.occurred_at <= as_of
        ) as accepted,
        exists (
            select from public.email_signals x
            where x.payload ->> 'invitation_id' = s.payload ->> 'invitation_id' and x.kind = 'invitation_revoked' and x.occurred_at <= as_of
        ) as revoked
) a
where s.kind = 'invitation_created' and left(lower(btrim(s.payload ->> 'invitee_email')), 255) = left(lower(btrim(address)), 255)
and s.occurred_at <= as_of and (a.accepted or not a.revoked)
order by a.accepted desc, s.occurred_at desc, s.id desc
limit 1
$$;
comment on function public.email_invitation(text, timestamptz) is
'The invitation of this address that is accepted, or else waits to be: its id, who invites to which project, the keys of the signal. No row: none, or revoked.';
revoke all on function public.email_invitation(text, timestamptz) from public;
select public.email_grant('execute on function public.email_invitation(text, timestamptz)', r.role_name) from unnest(array['email_worker', 'email_admin']) r (role_name);

-- Who hears about a project: its owner first (at whatever address they have when it is sent), then its contacts of one role.
-- Addresses are the same in upper and lower case; a contact who is the owner gets no second letter.
create or replace function public.email_project_recipients(project uuid, contact_role text)
returns table (user_id uuid, to_email text, key_suffix text)
language plpgsql stable rows 2
set search_path = pg_catalog, pg_temp
as $$
begin
    user_id := (select p.owner_id from public.projects p where p.id = project);
    key_suffix := '';
    return next;
    if exists (select from public.email_project_contacts c where c.project_id = project and c.role = contact_role) then
        return query
        select distinct on (lower(c.email)) coalesce(c.user_id, email_project_recipients.user_id), c.email, ':' || lower(c.email)
        from public.email_project_contacts c
        left join public.users u on u.id = email_project_recipients.user_id
        where c.project_id = project and c.role = contact_role
        and c.user_id is distinct from u.id and lower(c.email) is distinct from lower(u.email)
        order by lower(c.email), c.user_id nulls last, c.email;
    end if;
end
$$;
comment on function public.email_project_recipients(uuid, text) is
'The owner of a project (user null when it cannot be found) and its contacts of one role, each once: user, address (null: the user''s own), and what their copy''s key ends with.';
revoke all on function public.email_project_recipients(uuid, text) from public;

-- Nearly no project has contacts, so the function above is called for those only.  A deployment that cannot be seen has a row
-- too, without a user: the application's snapshot may be older than it, and then the fact must fail, to be made up for.  SQL
-- without settings of its own, so that it becomes a part of the statements that use it.
create or replace function public.email_deployment_recipients(deployment uuid, contact_role text)
returns table (project_id uuid, user_id uuid, to_email text, key_suffix text)
language sql stable
as $$
select d.project_id, coalesce(r.user_id, p.owner_id), r.to_email, coalesce(r.key_suffix, '')
from (select) always
left join public.deployments d on d.id = deployment
left join public.projects p on p.id = d.project_id
left join lateral (
    select r.user_id, r.to_email, r.key_suffix
    from public.email_project_recipients(d.project_id, contact_role) r
    where exists (select from public.email_project_contacts c where c.project_id = d.project_id and c.role = contact_role)
    offset 0
) r on true
$$;
comment on function public.email_deployment_recipients(uuid, text) is
'A deployment''s project and who hears about it (see email_project_recipients); a row without project and user when the deployment cannot be seen.';
revoke all on function public.email_deployment_recipients(uuid, text) from public;

select public.email_grant('execute on function public.email_key_id(text, integer), public.email_verdict_figures(uuid[])', 'email_worker');
