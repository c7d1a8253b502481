select to_regclass('public.email_sql_files') is not null and to_regprocedure('public.email_fingerprint(text[])') is not null
