select public.email_batch_split(worker => $1, batch => $2, ids => $3, batches => $4, lease => make_interval(secs => $5))
