select public.email_answer($1, $2, $3)
