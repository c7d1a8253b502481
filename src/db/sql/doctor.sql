select check_name, status, detail from public.email_doctor()
