select public.email_unsubscribe(token => $1, category => $2)
