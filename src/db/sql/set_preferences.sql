select public.email_set_preferences($1, $2, $3, $4, $5)
