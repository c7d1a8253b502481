select public.email_set_preferences(token => $1, marketing => $2, product => $3, tracking => $4, timezone => $5)
