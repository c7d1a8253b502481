-- What the application does when somebody signs up. $1 id, $2 name, $3 address.
insert into public.users (id, name, email, hashed_password)
values ($1::text::uuid, $2, $3, 'argon2id$demo')
