update public.email_settings set jobs_moved_at = public.email_now()
