select public.email_run_due_schedule(worker => $1)
