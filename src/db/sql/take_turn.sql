select granted, wait_seconds from public.email_take_turn(provider => $1, rate => $2, urgent => $3)
