-- A project is created. $1 id, $2 name, $3 owner.
insert into public.projects (id, name, owner_id, api_key, hmac_secret, envs)
values ($1::text::uuid, $2, $3::text::uuid, 'key-' || $1::text, 'secret-' || $1::text, '{prod,staging}')
