-- A user lets opens and clicks be tracked, as the preferences page records it. $1 user.
insert into public.email_preferences (user_id, tracking_consent) values ($1::text::uuid, true)
on conflict (user_id) do update set tracking_consent = true
