select public.email_extend_lease($1, $2, make_interval(secs => $3))
