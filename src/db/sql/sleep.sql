select lanes, watched from public.email_sleep(holding => $1)
