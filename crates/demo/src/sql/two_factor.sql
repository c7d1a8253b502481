-- Two-factor authentication is switched. $1 user, $2 true or false.
update public.users set twofa_enabled = $2::text::boolean where id = $1::text::uuid
