select public.email_answer_nps($1, $2, $3)
