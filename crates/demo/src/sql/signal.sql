-- The application tells a fact. $1 kind, $2 user or '', $3 project or '', $4 payload.
select public.email_signal($1, nullif($2, '')::uuid, nullif($3, '')::uuid, $4::text::jsonb)
