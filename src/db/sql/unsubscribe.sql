select public.email_unsubscribe($1, $2)
