select public.email_schedule_sync()
