select lanes, watched from public.email_sleep($1)
