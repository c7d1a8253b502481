select public.email_provider_refused($1)
