select granted, wait_seconds from public.email_take_turn($1, $2, $3)
