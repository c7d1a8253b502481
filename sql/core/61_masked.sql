-- Rows without the person in them, for people who look into a problem and need not know whose letter it is.

create or replace function public.email_mask(said text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
select regexp_replace(said, '([^][:space:]<>()"''`,;:@[])[^][:space:]<>()"''`,;:@[]*@', '\1…@', 'g')
$$;
comment on function public.email_mask(text) is
'The same text with every address in it cut to its first character and its domain: n…@example.com.';
revoke all on function public.email_mask(text) from public;

drop view if exists public.email_outbox_masked;
create view public.email_outbox_masked as
select o.id, o.email_type, o.status, o.user_id, o.project_id,
    public.email_mask(o.to_email) as to_email,
    public.email_mask(o.dedupe_key) as dedupe_key,
    o.run_at, o.due_at, o.retry_at, o.rank,
    public.email_mask(o.reason) as reason,
    o.attempts, o.claims,
    public.email_mask(o.last_error) as last_error,
    o.locked_by, o.locked_until, o.batch_id, o.batch_position,
    (select array_agg(k order by k) from jsonb_object_keys(o.payload) k) as payload_keys,
    o.created_at, o.finished_at
from public.email_outbox o;
comment on view public.email_outbox_masked is 'email_outbox with addresses masked and the payload''s keys without their values: for email_reader.';
comment on column public.email_outbox_masked.id is 'As in email_outbox; email_explain(id) tells the rest.';
comment on column public.email_outbox_masked.email_type is 'As in email_outbox.';
comment on column public.email_outbox_masked.status is 'As in email_outbox.';
comment on column public.email_outbox_masked.user_id is 'As in email_outbox.';
comment on column public.email_outbox_masked.project_id is 'As in email_outbox.';
comment on column public.email_outbox_masked.to_email is 'First character and domain; null means the user''s address at the moment of sending.';
comment on column public.email_outbox_masked.dedupe_key is 'The key, an address in it masked.';
comment on column public.email_outbox_masked.run_at is 'As in email_outbox.';
comment on column public.email_outbox_masked.due_at is 'As in email_outbox.';
comment on column public.email_outbox_masked.retry_at is 'As in email_outbox; null means no retry is pending.';
comment on column public.email_outbox_masked.rank is 'As in email_outbox.';
comment on column public.email_outbox_masked.reason is 'As in email_outbox, addresses masked; null means no reason is needed.';
comment on column public.email_outbox_masked.attempts is 'As in email_outbox.';
comment on column public.email_outbox_masked.claims is 'As in email_outbox.';
comment on column public.email_outbox_masked.last_error is 'As in email_outbox, addresses masked; null means none.';
comment on column public.email_outbox_masked.locked_by is 'As in email_outbox; null unless sending.';
comment on column public.email_outbox_masked.locked_until is 'As in email_outbox; null unless sending.';
comment on column public.email_outbox_masked.batch_id is 'As in email_outbox.';
comment on column public.email_outbox_masked.batch_position is 'As in email_outbox.';
comment on column public.email_outbox_masked.payload_keys is 'Which keys the payload has, without their values; null means none.';
comment on column public.email_outbox_masked.created_at is 'As in email_outbox.';
comment on column public.email_outbox_masked.finished_at is 'As in email_outbox; null while it is queued or sending.';

drop view if exists public.email_deliveries_masked;
create view public.email_deliveries_masked as
select d.id, d.email_type, d.status, d.user_id, d.project_id,
    public.email_mask(d.payload_json ->> 'to_email') as to_email,
    public.email_mask(d.dedupe_key) as dedupe_key,
    public.email_mask(d.payload_json ->> 'reason') as reason,
    public.email_mask(d.error_message) as error_message,
    d.provider, d.provider_message_id, d.variant, d.outbox_id, d.sent_at, d.created_at
from public.email_deliveries d;
comment on view public.email_deliveries_masked is 'The journal with addresses masked, without subject and context: for email_reader.';
comment on column public.email_deliveries_masked.id is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.email_type is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.status is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.user_id is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.project_id is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.to_email is 'First character and domain; null once it was erased, or when the letter never got as far.';
comment on column public.email_deliveries_masked.dedupe_key is 'The key, an address in it masked.';
comment on column public.email_deliveries_masked.reason is 'Why it was suppressed or failed; null means no reason is needed.';
comment on column public.email_deliveries_masked.error_message is 'As in email_deliveries, addresses masked; null means none.';
comment on column public.email_deliveries_masked.provider is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.provider_message_id is 'The provider''s own id, to ask their support with; null until accepted.';
comment on column public.email_deliveries_masked.variant is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.outbox_id is 'As in email_deliveries.';
comment on column public.email_deliveries_masked.sent_at is 'As in email_deliveries; null unless sent.';
comment on column public.email_deliveries_masked.created_at is 'As in email_deliveries.';

select public.email_grant(g.privileges, r.role_name)
from unnest(array['email_reader', 'email_admin']) r (role_name)
cross join (values ('select on public.email_outbox_masked, public.email_deliveries_masked'), ('execute on function public.email_mask(text)')) g (privileges);
