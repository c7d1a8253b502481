select public.email_batch_split($1, $2, $3, $4, make_interval(secs => $5))
