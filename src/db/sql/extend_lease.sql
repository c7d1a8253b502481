select public.email_extend_lease(worker => $1, batch => $2, lease => make_interval(secs => $3))
