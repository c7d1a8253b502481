select version, name from public.email_schema_history order by version
