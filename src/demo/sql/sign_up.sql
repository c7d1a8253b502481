-- What the application does when somebody signs up. $1 name, $2 address.
insert into public.users (name, email, hashed_password)
values ($1, $2, 'argon2id$demo')
returning id
