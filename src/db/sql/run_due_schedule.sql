select public.email_run_due_schedule($1)
