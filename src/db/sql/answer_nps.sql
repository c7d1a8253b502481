select public.email_answer_nps(token => $1, score => $2, comment => $3)
