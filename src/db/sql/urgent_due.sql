select public.email_urgent_due()
